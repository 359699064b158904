/** A figure beside the target it has to meet; `anchor` is what something simpler reached in the same run. */
export function atMost(label, value, limit, unit, anchor = null) {
  return { label, value, limit, unit, sign: '≤', isMet: value <= limit, anchor };
}

export function atLeast(label, value, limit, unit, anchor = null) {
  return { label, value, limit, unit, sign: '≥', isMet: value >= limit, anchor };
}

/** Refused, late, failed or with gaps: what no speed can excuse. */
export function nothingWrong(row) {
  const wrong = row.refused + row.late + row.failed + row.gaps;
  return atMost('refused, late, failed or with gaps', wrong, 0, '');
}

/** Splits rows into what was measured and what it is measured against. */
export function sides(rows) {
  const find = (name) => rows.find((row) => row.subject === name) ?? null;
  return { alone: find('engine alone'), proxy: find('bare proxy'), ours: find('orchestratord') };
}
