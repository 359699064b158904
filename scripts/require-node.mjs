// Imported first, and written so that an old Node can still read it.

import process from 'node:process';

const LEAST = [20, 19];
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1])) {
  process.stderr.write(
    'orchestratord needs Node ' +
      LEAST.join('.') +
      ' or newer; this is Node ' +
      process.versions.node +
      '.\n' +
      'Get one from https://nodejs.org or by your version manager, e.g.: nvm install 24\n',
  );
  process.exit(1);
}
