import { Controller, Delete, Get, HttpCode, Inject } from '@nestjs/common';
import { sessionParams, type Session } from '../../contract/sessions.js';
import { ValidParams } from '../../platform/http/validated.js';
import { ReadSession } from './read-session.js';
import { Sessions } from './sessions.js';

/** `/v2/sessions`. */
@Controller('v2/sessions')
export class SessionsController {
  constructor(
    @Inject(Sessions) private readonly sessions: Sessions,
    @Inject(ReadSession) private readonly readSession: ReadSession,
  ) {}

  @Get(':id')
  read(@ValidParams(sessionParams) { id }: { id: string }): Promise<Session> {
    return this.readSession.run(id);
  }

  @Delete(':id')
  @HttpCode(204)
  async evict(@ValidParams(sessionParams) { id }: { id: string }): Promise<void> {
    await this.sessions.evict(id);
  }
}
