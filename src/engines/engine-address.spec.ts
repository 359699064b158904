import { expect, it } from 'vitest';
import { addressProblem, baseUrl } from './engine-address.js';

it.each([
  'http://127.0.0.1:8081',
  'http://10.1.2.3:8000/',
  'https://gpu.example.com/v1',
  'http://[::1]:9000',
  'http://[fd12::1]:9000',
])('takes %s, also where it is private', (url) => {
  expect(addressProblem(url, [], 'vllm')).toBeNull();
});

it.each([
  ['http://me:secret@10.0.0.1', 'user or password'],
  ['http://me@10.0.0.1', 'user or password'],
  ['http://10.0.0.1/?key=secret', 'no query'],
  ['http://10.0.0.1/#x', 'no fragment'],
  ['ftp://10.0.0.1', 'must begin with http'],
  ['not a url', 'is not a URL'],
  ['http://169.254.169.254/latest', 'no engine has'],
  ['http://0xA9FEA9FE/', 'no engine has'],
  ['http://2852039166/', 'no engine has'],
  ['http://[::ffff:169.254.169.254]/', 'no engine has'],
  ['http://[fe80::1]/', 'no engine has'],
  ['http://0.0.0.0:8080', 'no engine has'],
])('refuses %s', (url, problem) => {
  expect(addressProblem(url, [], 'vllm')).toContain(problem);
  expect(addressProblem(url, [], 'vllm')).not.toContain('secret');
});

it('takes gRPC for engines that speak it, and knows their addresses in any spelling', () => {
  expect(addressProblem('grpc://10.0.0.1:8001', [], 'triton')).toBeNull();
  expect(addressProblem('grpc://10.0.0.1:8001', [], 'vllm')).toContain('must begin with');
  expect(addressProblem('grpc://2852039166:8001', [], 'triton')).toContain('no engine has');
  expect(addressProblem('grpc://A.gpu.lan.:1', ['*.gpu.lan'], 'triton')).toBeNull();
});

it('keeps to the hosts of the configuration', () => {
  const allowed = ['10.0.0.1', '*.gpu.lan'];
  expect(addressProblem('http://10.0.0.1:1', allowed, 'vllm')).toBeNull();
  expect(addressProblem('http://A.gpu.lan.:1', allowed, 'vllm')).toBeNull();
  expect(addressProblem('http://gpu.lan:1', allowed, 'vllm')).toContain('allowed_hosts');
  expect(addressProblem('http://evilgpu.lan:1', allowed, 'vllm')).toContain('allowed_hosts');
});

it('gives base URLs without a trailing slash', () => {
  expect(baseUrl('http://a:1/')).toBe('http://a:1');
  expect(baseUrl('http://a:1/v1//')).toBe('http://a:1/v1');
});
