export { MetaModule } from './meta.module.js';
export { ReadCapabilities } from './read-capabilities.js';
export { packageVersion } from './package-version.js';
