export { MetaModule } from './meta.module.js';
export { packageVersion } from './package-version.js';
