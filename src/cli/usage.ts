import { TidemarkError } from '../platform/core/errors.ts';

/** Wrong use: exit code 2, nothing touched. `remedy` says what to do instead. */
export function usageError(code: string, message: string, remedy?: string): TidemarkError {
  return new TidemarkError('usage', code, message, remedy === undefined ? {} : { remedy });
}
