import { cpuByKind, findFamily, readAgain, readMachineCpuMs, spawnHelper } from './processes.mjs';

function sumOf(cpu) {
  return cpu.node + cpu.redis + cpu.postgres;
}

/** Whose clocks are read: those of the subject, and all of this run. */
function findFamilies(subject) {
  return { subject: subject.family?.() ?? null, own: findFamily([process.pid], subject.directory ?? null) };
}

/** One look at all clocks; two looks give what was used in between. */
function look({ subject, own }) {
  return {
    subject: subject === null ? null : cpuByKind(subject),
    ownMs: own.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    machineMs: readMachineCpuMs(),
  };
}

function lookAgain({ subject, own }) {
  return look({ subject: subject === null ? null : readAgain(subject), own: readAgain(own) });
}

function usedBetween(first, second, windowMs) {
  const machineCores = (second.machineMs - first.machineMs) / windowMs;
  const ownCores = (second.ownMs - first.ownMs) / windowMs;
  const cores = { machineCores, neighbourCores: Math.max(0, machineCores - ownCores) };
  if (first.subject === null) return { ...cores, cpuMs: null };
  const cpuMs = {};
  // A Postgres backend that ended meanwhile took its time along; never count backwards.
  for (const kind of Object.keys(first.subject)) cpuMs[kind] = Math.max(0, second.subject[kind] - first.subject[kind]);
  return { ...cores, cpuMs: { ...cpuMs, total: sumOf(cpuMs) } };
}

/**
 * Runs one load against one subject. CPU is read when the generator says that its window opens and closes. Some time before it
 * says that the window soon opens: looking for processes takes a tenth of a second of a core, which would be missed inside.
 * @param {{name: string, port: number, dialect: string, family?: () => object[]}} subject
 * @param {(stop: () => Promise<void>) => void} onStarted told how to end the load early
 */
export async function measure(subject, job, onStarted) {
  const load = spawnHelper('load.mjs', [JSON.stringify({ dialect: subject.dialect, ...job, port: subject.port })]);
  onStarted(load.stop);
  const looks = {};
  let families = null;
  let report = null;
  load.lines.on('line', (line) => {
    const said = JSON.parse(line);
    if (said.report !== undefined) report = said.report;
    else if (said.mark === 'end') looks.end = look(findFamilies(subject));
    else {
      families ??= findFamilies(subject);
      if (said.mark === 'start') looks.start = lookAgain(families);
    }
  });
  await load.exited;
  if (report === null || looks.start === undefined) {
    throw new Error(`the load on ${subject.name} never reached its measuring window: ${JSON.stringify(report)}`);
  }
  const used = usedBetween(looks.start, looks.end, report.windowMs);
  const perToken = (ms) =>
    used.cpuMs === null || report.windowTokens === 0 ? null : (ms * 1000) / report.windowTokens;
  return {
    subject: subject.name,
    ...report,
    ...used,
    tokensPerSecond: (report.windowTokens * 1000) / report.windowMs,
    requestsPerSecond: (report.windowRequests * 1000) / report.windowMs,
    cpuUsPerToken: perToken(used.cpuMs === null ? 0 : used.cpuMs.node + used.cpuMs.redis),
    postgresUsPerToken: perToken(used.cpuMs?.postgres ?? 0),
  };
}
