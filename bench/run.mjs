import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { describe, save } from './report.mjs';
import { scenarios } from './scenarios/index.mjs';
import { Workplace } from './workplace.mjs';

const limitMs = 6 * 60_000;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const options = {
  main: { type: 'string', default: here('../dist/bundled/orchestratord.js') },
  split: { type: 'boolean', default: false },
  'anchors-only': { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

const usage = `npm run bench [-- scenario … [--main path] [--split] [--anchors-only]]
  scenarios: ${scenarios.map(({ name }) => name).join(' ')} (all when none is named)
  --main          the built server to measure, default dist/bundled/orchestratord.js
  --split         api and worker as two processes
  --anchors-only  engine, bare proxy and raw BullMQ, without orchestratord`;

function say(line) {
  process.stdout.write(`${line}\n`);
}

function chosen(names) {
  const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) throw new Error(`unknown scenario ${unknown.join(', ')}\n${usage}`);
  return names.length === 0 ? scenarios : scenarios.filter(({ name }) => names.includes(name));
}

async function runAll(selected, workplace) {
  const outcomes = [];
  for (const scenario of selected) {
    say(`… ${scenario.name}`);
    const outcome = { name: scenario.name, title: scenario.title, ...(await scenario.run(workplace)) };
    for (const line of describe(outcome)) say(line);
    outcomes.push(outcome);
  }
  return outcomes;
}

async function main() {
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help) return say(usage);
  const selected = chosen(positionals);
  const hasServer = !values['anchors-only'];
  const workplace = new Workplace({ main: values.main, isSplit: values.split, hasServer, say });
  const stopEarly = (why) => {
    say(`\nstopped: ${why}`);
    void workplace.close().finally(() => process.exit(1));
  };
  process.once('uncaughtException', (error) => stopEarly(error.stack));
  process.once('SIGINT', () => stopEarly('interrupted'));
  process.once('SIGTERM', () => stopEarly('terminated'));
  setTimeout(() => stopEarly('took too long'), limitMs).unref();
  try {
    const outcomes = await runAll(selected, workplace);
    say(`\n  ${save(outcomes, here('./results'))}`);
    // Timings on shared cores are no tests: a missed target is printed, it does not fail the command.
    const missed = outcomes.flatMap(({ name, checks }) =>
      checks.filter(({ isMet }) => !isMet).map(({ label }) => `${name}: ${label}`),
    );
    if (hasServer) say(missed.length === 0 ? '  all targets met' : `  missed: ${missed.join('; ')}`);
  } finally {
    await workplace.close();
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    say(`bench: ${error.message}`);
    process.exit(1);
  },
);
