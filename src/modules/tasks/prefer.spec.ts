import { expect, it } from 'vitest';
import { prefersRepresentation } from './prefer.js';

it.each([
  [undefined, false],
  ['', false],
  ['return=representation', true],
  ['Return = "representation"', true],
  ['respond-async, wait=10, return=representation; x=1', true],
  ['return=minimal', false],
  ['return=minimal, return=representation', false],
  ['return', false],
  ['returns=representation', false],
  ['=,;,"', false],
])('Prefer: %s', (header, expected) => {
  expect(prefersRepresentation(header)).toBe(expected);
});
