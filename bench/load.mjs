import { runClosedLoop } from './load/closed-loop.mjs';
import { dialects } from './load/dialects.mjs';
import { runOpenStreams } from './load/open-streams.mjs';
import { Tally } from './load/tally.mjs';

// The load generator, a process of its own. Its one argument is the job as JSON; it prints {"mark":"start"} and
// {"mark":"end"} when the measuring window opens and closes, {"mark":"soon"} some time before, then {"report":…}. The end of stdin ends it.

const kinds = { 'closed-loop': runClosedLoop, 'open-streams': runOpenStreams };

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

process.stdin.resume().on('end', () => process.exit(1));
const job = JSON.parse(process.argv[2]);
const tally = new Tally();
const marks = { start: NaN, end: NaN };
await kinds[job.kind](job, dialects[job.dialect], tally, (mark) => {
  marks[mark] = performance.now();
  say({ mark });
});
say({ report: { windowMs: marks.end - marks.start, ...tally.report() } });
// Wait for the pipe: exit() would cut the report off.
process.stdout.write('', () => process.exit(0));
