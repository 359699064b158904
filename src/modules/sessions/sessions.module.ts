import { Module, type DynamicModule } from '@nestjs/common';
import { SessionsController } from './sessions.controller.js';
import { Sessions } from './sessions.js';

/** `/v2/sessions`. */
@Module({})
export class SessionsModule {
  static register(sessions: Sessions): DynamicModule {
    return {
      module: SessionsModule,
      controllers: [SessionsController],
      providers: [{ provide: Sessions, useValue: sessions }],
    };
  }
}
