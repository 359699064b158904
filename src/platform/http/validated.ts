import { Body, Param, Query, type PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import type { ErrorDetail } from '../../contract/errors.js';
import { invalidParams } from '../errors/app-error.js';
import { check } from '../validation/explain-issue.js';
import { textProblem } from './storable.js';

type Part = 'body' | 'query' | 'path';

/** The body, parsed by a schema of the contract; what does not fit is INVALID_PARAMS with every field named. */
export function ValidBody(schema: z.ZodType): ParameterDecorator {
  return Body(new SchemaPipe(schema, 'body'));
}

/** The query string, parsed by a schema; fields are named `query.<name>`. */
export function ValidQuery(schema: z.ZodType): ParameterDecorator {
  return Query(new SchemaPipe(schema, 'query'));
}

/** The path parameters, parsed by a schema; fields are named `path.<name>`. */
export function ValidParams(schema: z.ZodType): ParameterDecorator {
  return Param(new SchemaPipe(schema, 'path'));
}

class SchemaPipe implements PipeTransform {
  constructor(
    private readonly schema: z.ZodType,
    private readonly part: Part,
  ) {}

  transform(value: unknown): unknown {
    return parsePart(this.schema, value, this.part);
  }
}

/** The same check for code that is not behind Nest's decorators. */
export function parsePart<Schema extends z.ZodType>(schema: Schema, value: unknown, part: Part): z.output<Schema> {
  // Bodies were searched by the parser; percent-encoding smuggles NUL into the others.
  const details = part === 'body' ? [] : unstorableFields(value, part);
  const checked = check(schema, value);
  if (checked.ok && details.length === 0) return checked.value;
  if (!checked.ok)
    details.push(...checked.findings.map(({ path, problem }) => ({ field: fieldOf(part, path), problem })));
  throw invalidParams(details);
}

function unstorableFields(value: unknown, part: Part): ErrorDetail[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, text]) => {
    // A parameter that is given several times is a list.
    const problem = [text]
      .flat()
      .reduce<string | null>((found, each) => found ?? (typeof each === 'string' ? textProblem(each) : null), null);
    return problem === null ? [] : [{ field: `${part}.${key}`, problem }];
  });
}

function fieldOf(part: Part, path: readonly (string | number)[]): string {
  if (path.length === 0) return part;
  const dotted = path.map(String).join('.').slice(0, 256);
  return part === 'body' ? dotted : `${part}.${dotted}`;
}
