/** One line of the service's log: `2026-01-31T23:59:59.000Z worker: text`. */
export function logLine(now: Date, who: 'daemon' | 'worker', text: string): string {
  return `${now.toISOString()} ${who}: ${text}\n`;
}
