import { Module, type DynamicModule } from '@nestjs/common';
import type { KeptKv } from './kept-kv.port.js';
import { ReadSession } from './read-session.js';
import { SessionsController } from './sessions.controller.js';
import { Sessions } from './sessions.js';

/** `/v2/sessions`. */
@Module({})
export class SessionsModule {
  static register(sessions: Sessions, keptKv: KeptKv): DynamicModule {
    return {
      module: SessionsModule,
      controllers: [SessionsController],
      providers: [
        { provide: Sessions, useValue: sessions },
        { provide: ReadSession, useValue: new ReadSession(sessions, keptKv) },
      ],
    };
  }
}
