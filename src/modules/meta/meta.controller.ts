import { Controller, Get, Inject } from '@nestjs/common';
import type { Capabilities, Version } from '../../contract/meta.js';
import { packageVersion } from './package-version.js';
import { ReadCapabilities } from './read-capabilities.js';

/** What this server is and can do. */
@Controller('/v2/meta')
export class MetaController {
  private readonly answer: Version = {
    name: 'orchestratord',
    version: packageVersion(),
    api: 'v2',
    node: process.versions.node,
  };

  constructor(@Inject(ReadCapabilities) private readonly readCapabilities: ReadCapabilities) {}

  @Get('/version')
  version(): Version {
    return this.answer;
  }

  @Get('/capabilities')
  capabilities(): Capabilities {
    return this.readCapabilities.run();
  }
}
