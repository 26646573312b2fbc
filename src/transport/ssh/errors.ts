/** Failures of a connection in the words of tidemark. */
import { TidemarkError } from '../../platform/core/errors.ts';
import { cleanText } from '../core/escape.ts';
import type { SshSettings } from './resolve-config.ts';

/** What helps where a connection was lost under way: a run can be broken off anywhere. */
export const RUN_AGAIN = 'Run again: it goes on where it was.';

/** `user@host`, with the port where it is not ssh's own: how a connection is named in messages. */
export function nameOfConnection(settings: SshSettings): string {
  const port = settings.port === 22 ? '' : `:${settings.port}`;
  return `${settings.user}@${settings.host}${port}`;
}

/** What a socket, the resolver or ssh2 reported, as the error that ends the run; a TidemarkError stays as it is. */
export function connectionError(error: unknown, settings: SshSettings): TidemarkError {
  if (error instanceof TidemarkError) return error;
  const facts = error as { code?: unknown; level?: unknown; message?: unknown; errors?: readonly unknown[] };
  // Several addresses of one name were tried; they usually fail alike.
  if (Array.isArray(facts.errors) && facts.errors.length > 0) return connectionError(facts.errors[0], settings);
  const text = cleanText(String(facts.message ?? error), 500);
  const where = `${settings.hostName} port ${settings.port}`;
  switch (facts.code) {
    case 'ECONNREFUSED':
      return unavailable(
        'connect-refused',
        `${where} refuses connections`,
        'Is the ssh server running, and is the port right?',
        error,
      );
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NODATA':
      return unavailable(
        'host-not-found',
        `the host ${settings.hostName} was not found`,
        'Check the name and the name server.',
        error,
      );
    case 'ETIMEDOUT':
      return timedOut(settings, 'connecting');
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
      return unavailable('connect-failed', `${where} cannot be reached: ${text}`, 'Check the network.', error);
  }
  if (/no matching/i.test(text)) {
    const remedy = "The system's client may know more: --rsh ssh";
    return unavailable(
      'no-common-algorithm',
      `${where} and the built-in client share no safe algorithm: ${text}`,
      remedy,
      error,
    );
  }
  if (facts.level === 'client-timeout')
    return unavailable('connection-lost', `${where} does not answer any more`, RUN_AGAIN, error);
  const remedy = 'Is that an ssh server? If it is, its log says why it hung up.';
  return unavailable('connection-lost', `the connection to ${where} failed: ${text}`, remedy, error);
}

/** The absolute deadline of the handshake passed. */
export function timedOut(settings: SshSettings, doing: string): TidemarkError {
  const message = `${settings.hostName} port ${settings.port}: no answer in time while ${doing}`;
  return unavailable('timeout', message, 'Check the network; ConnectTimeout in the ssh configuration sets the time.');
}

/** A failure of the `unavailable` kind. */
export function unavailable(code: string, message: string, remedy?: string, cause?: unknown): TidemarkError {
  return new TidemarkError('unavailable', code, message, { ...(remedy === undefined ? {} : { remedy }), cause });
}
