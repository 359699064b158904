import type { AppConfig } from '../../platform/config/app-config.js';

export interface BannerFacts {
  readonly url: string;
  readonly config: AppConfig;
  readonly color: boolean;
  readonly hasApi: boolean;
}

const codes = { bold: 1, dim: 2, green: 32, yellow: 33, cyan: 36 } as const;

/** Where everything is, and a curl to try it. Plain text without colour. */
export function banner({ url, config, color, hasApi }: BannerFacts): string {
  const paint = (style: keyof typeof codes, text: string): string =>
    color ? `\u001b[${codes[style]}m${text}\u001b[0m` : text;
  const row = (name: string, path: string): string => `  ${name.padEnd(14)} ${paint('cyan', url + path)}`;
  const lines = ['', `${paint('green', '●')} ${paint('bold', 'orchestratord')} is up (${config.roles.join(', ')})`, ''];
  if (!hasApi) return [...lines, row('Health', '/readyz'), row('Metrics', '/metrics'), ''].join('\n');
  lines.push(
    row('API', '/v2/tasks'),
    row('Swagger UI', '/docs'),
    row('Bull Board', '/queues'),
    row('Metrics', '/metrics'),
    row('Health', '/readyz'),
    row('Pools', '/v2/pools'),
    `  ${'Data'.padEnd(14)} ${config.paths.dataDir}`,
    '',
    ...notes(config).map((note) => `  ${paint('yellow', `! ${note}`)}`),
    '',
    `  ${paint('bold', 'Try it:')}`,
    '',
    curl(url, config)
      .split('\n')
      .map((line) => `  ${line}`)
      .join('\n'),
    '',
    `  ${paint('dim', 'Stop with Ctrl-C; tasks and data are kept.')}`,
    '',
  );
  return lines.join('\n');
}

/** What a newcomer must not overlook. */
function notes(config: AppConfig): string[] {
  const { pools, source, policy } = config;
  const found: string[] = [];
  if (source.isDemo && policy.gpu === 'allowed-cpu') {
    found.push(
      'Demo configuration: engines may run on the CPU and be installed from npm. Write an orchestratord.yaml for real use.',
    );
  }
  if (pools.some(({ model }) => model.ref === 'demo')) {
    found.push(
      'The demo model is tiny and untrained: its words are noise. Serve a real one: MODEL=/path/to/model.gguf npm start',
    );
  }
  if (pools.length === 0) found.push('No pool is configured: tasks are refused until `pools` has one.');
  return found;
}

function curl(url: string, config: AppConfig): string {
  const pool = config.pools[0];
  const ref = pool?.aliases[0] ?? pool?.model.ref ?? 'default';
  const body = JSON.stringify({ workload: 'completion', model_ref: ref, prompt: 'Once upon a time', max_tokens: 64 });
  const token = config.secrets.authToken === null ? [] : [`  -H "Authorization: Bearer $AUTH_TOKEN"`];
  return [
    `curl -N ${url}/v2/tasks`,
    ...token,
    `  -H 'Content-Type: application/json'`,
    `  -H 'Accept: text/event-stream'`,
    `  -d '${body.replaceAll("'", String.raw`'\''`)}'`,
  ].join(' \\\n');
}
