/** Foreign names and texts made fit for a terminal, a log and a prompt. */
import type { BytePath } from '../../platform/core/byte-path.ts';
import { displayPath } from '../../platform/core/display.ts';

/** Any byte string — a path, a root, an argument — as one harmless line of text. */
export function displayText(bytes: string): string {
  return displayPath(bytes as BytePath);
}
