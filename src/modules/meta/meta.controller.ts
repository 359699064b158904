import { Controller, Get } from '@nestjs/common';
import type { Version } from '../../contract/meta.js';
import { packageVersion } from './package-version.js';

/** What this server is. */
@Controller('/v2/meta')
export class MetaController {
  private readonly answer: Version = {
    name: 'orchestratord',
    version: packageVersion(),
    api: 'v2',
    node: process.versions.node,
  };

  @Get('/version')
  version(): Version {
    return this.answer;
  }
}
