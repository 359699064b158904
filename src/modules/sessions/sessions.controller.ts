import { Controller, Delete, Get, HttpCode, Inject } from '@nestjs/common';
import { sessionParams, type Session } from '../../contract/sessions.js';
import { AppError } from '../../platform/errors/app-error.js';
import { ValidParams } from '../../platform/http/validated.js';
import { sessionView } from './session-view.js';
import { Sessions } from './sessions.js';

/** `/v2/sessions`. */
@Controller('v2/sessions')
export class SessionsController {
  constructor(@Inject(Sessions) private readonly sessions: Sessions) {}

  @Get(':id')
  async read(@ValidParams(sessionParams) { id }: { id: string }): Promise<Session> {
    const view = await this.sessions.find(id);
    if (view === null) throw new AppError('NOT_FOUND', 'There is no session of that id, or it has expired.');
    return sessionView(id, view, this.sessions.limits.ttlMs);
  }

  @Delete(':id')
  @HttpCode(204)
  async evict(@ValidParams(sessionParams) { id }: { id: string }): Promise<void> {
    await this.sessions.evict(id);
  }
}
