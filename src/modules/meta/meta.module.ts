import { Module, type DynamicModule } from '@nestjs/common';
import { MetaController } from './meta.controller.js';
import { ReadCapabilities } from './read-capabilities.js';

/** `/v2/meta/*`: what this server is and can do. */
@Module({})
export class MetaModule {
  static register(readCapabilities: ReadCapabilities): DynamicModule {
    return {
      module: MetaModule,
      controllers: [MetaController],
      providers: [{ provide: ReadCapabilities, useValue: readCapabilities }],
    };
  }
}
