import { expect, it } from 'vitest';
import { childEnvironment } from './child-environment.js';

it('hands on what programs need and no secret', () => {
  const parent = {
    PATH: '/bin',
    HOME: '/root',
    LD_LIBRARY_PATH: '/cuda',
    HTTPS_PROXY: 'http://proxy:3128',
    npm_config_registry: 'https://mirror.example',
    npm_config_local_prefix: '/work',
    npm_lifecycle_event: 'start',
    NODE_OPTIONS: '--inspect',
    AUTH_TOKEN: 'a',
    AUTH_TOKEN_FILE: '/run/token',
    HF_TOKEN: 'b',
    DATABASE_URL: 'postgres://localhost/x',
    REDIS_URL: 'redis://localhost',
    OTHER_URL: 'amqp://me:pw@host/x',
    OPENAI_API_KEY: 'c',
    AWS_SECRET_ACCESS_KEY: 'd',
    PGPASSWORD: 'e',
    NPM_TOKEN: 'f',
    EMPTY: undefined,
  };
  expect(childEnvironment(parent)).toEqual({
    PATH: '/bin',
    HOME: '/root',
    LD_LIBRARY_PATH: '/cuda',
    HTTPS_PROXY: 'http://proxy:3128',
    npm_config_registry: 'https://mirror.example',
  });
  expect(childEnvironment(parent, ['NPM_TOKEN'])).toHaveProperty('NPM_TOKEN', 'f');
});
