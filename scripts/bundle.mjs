// Joins what tsc made, and the libraries it uses, into few files: dist/bundled/orchestratord.js, engine-thread.js and engine-host.js. A process that reads two
// thousand small files spends most of its start on that. The modules stay beside: scripts and benchmarks import single ones.

import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');
const out = join(dist, 'bundled');

const bundle = await rolldown({
  cwd: root,
  platform: 'node',
  input: {
    orchestratord: join(dist, 'processes', 'home', 'main.js'),
    'engine-thread': join(dist, 'processes', 'engine-thread', 'main.js'),
    'engine-host': join(dist, 'processes', 'engine-host', 'main.js'),
  },
  external: [
    // Asked for by libraries that can do without them; none is installed.
    /^@nestjs\/(?:microservices|websockets|platform-express|platform-socket.io)/,
    /^@fastify\/(?:view|multipart)$/,
    'class-transformer',
    'class-validator',
    'pg-native',
  ],
  plugins: [{ name: 'addresses-of-our-modules', transform: keepAddresses }],
  onLog: (level, log, handler) => {
    // Not reached: `queue-board.ts` says where the pages of Bull Board lie.
    if (log.code === 'EVAL' && log.id?.includes('@bull-board')) return;
    handler(level, log);
  },
});
await bundle.write({
  dir: out,
  format: 'esm',
  // Not `keepNames`: it would define the name of every closure anew whenever one is made, which costs a third of the speed.
  sourcemap: true,
  entryFileNames: '[name].js',
  chunkFileNames: '[name].js',
  cleanDir: true,
});
await bundle.close();

/** Our modules look for files beside themselves (Lua scripts, migrations): where they lay, not where the bundle does. */
function keepAddresses(code, id) {
  if (id.includes('node_modules') || !code.includes('import.meta.url')) return null;
  const path = relative(out, id).split(sep).join('/');
  return {
    code: code.replaceAll('import.meta.url', `new URL(${JSON.stringify(path)}, import.meta.url).href`),
    map: null,
  };
}
