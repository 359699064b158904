/** Who waits for its part of a shared answer. */
export interface Settler<Result> {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gives each of those who asked together its own answer; an error is everybody's. Never rejects.
 * @param answers in the order of `asked`
 * @param what was asked, for whom the answers forgot: `a batched write`
 */
export function settleEach<Result>(
  answers: Promise<readonly Result[]>,
  asked: readonly Settler<Result>[],
  what: string,
): Promise<void> {
  return answers.then(
    (results) => {
      for (const [place, { resolve, reject }] of asked.entries()) {
        const result = results[place];
        if (result === undefined) reject(new Error(`${what} was left without an answer`));
        else resolve(result);
      }
    },
    (error: unknown) => {
      for (const { reject } of asked) reject(error);
    },
  );
}
