import { Module } from '@nestjs/common';
import { MetaController } from './meta.controller.js';

/** `/v2/meta/*`: what this server is and can do. */
@Module({ controllers: [MetaController] })
export class MetaModule {}
