/** The command line of the torture program, and what each negative control needs to find its miss. */
import { parseArgs } from 'node:util';

export const FILE_SYSTEMS = ['ext4', 'xfs', 'btrfs', 'tmpfs', 'overlay'];

/**
 * What the daemon leaves out, and the rows that only that part catches. Few rows, so that nothing else tells of the
 * same file and hides the miss.
 */
export const CONTROLS = {
  // A store into a mapping that is held while everything else is still gives no event at all.
  'census-off': { weaken: 'census', rows: ['mapped_held'] },
  // No list of open files shows a descriptor that lies in a socket; the refused lease alone keeps the file in the journal.
  'leases-off': { weaken: 'leases', rows: ['fd_in_flight'] },
  // libaio tells by CLOSE_WRITE only.
  'modify-only': { weaken: 'modify-only', rows: ['aio_buffered', 'aio_direct'] },
};

export class UsageError extends Error {}

export function readOptions(words) {
  const { values } = parse(words);
  const control = values.control === undefined ? null : CONTROLS[values.control];
  if (control === undefined) throw new UsageError(`--control takes ${Object.keys(CONTROLS).join(', ')}`);
  if (!FILE_SYSTEMS.includes(values.fs)) throw new UsageError(`--fs takes ${FILE_SYSTEMS.join(', ')}`);
  if (![undefined, 'worker', 'all'].includes(values.kill)) throw new UsageError('--kill takes worker, all');
  if (![undefined, 'directory'].includes(values.tier)) throw new UsageError('--tier takes directory');
  return {
    fileSystem: values.fs,
    seconds: numberOf(values.seconds, '--seconds'),
    seed: values.seed === undefined ? Date.now() % 1_000_000 : numberOf(values.seed, '--seed'),
    kill: values.kill ?? null,
    overflow: values.overflow,
    // The queue of the filesystem tier has no limit, so an overflow takes the other one.
    isDirectoryTier: values.tier === 'directory' || values.overflow || values.user !== undefined,
    user: values.user === undefined ? null : numberOf(values.user, '--user'),
    control,
    rows: control?.rows ?? values.rows?.split(',') ?? null,
    exceptRows: values['except-rows']?.split(',') ?? [],
    writers: numberOf(values.writers, '--writers'),
    paceUs: numberOf(values['pace-us'], '--pace-us'),
    program: values.program ?? null,
    keep: values.keep,
    isTrial: values.try,
  };
}

function parse(words) {
  try {
    return parseArgs({
      args: words,
      options: {
        fs: { type: 'string', default: 'ext4' },
        seconds: { type: 'string', default: '20' },
        seed: { type: 'string' },
        kill: { type: 'string' },
        overflow: { type: 'boolean', default: false },
        tier: { type: 'string' },
        user: { type: 'string' },
        control: { type: 'string' },
        rows: { type: 'string' },
        'except-rows': { type: 'string' },
        writers: { type: 'string', default: '3' },
        'pace-us': { type: 'string', default: '2000' },
        program: { type: 'string' },
        keep: { type: 'boolean', default: false },
        try: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function numberOf(text, name) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new UsageError(`${name} takes a number`);
  return number;
}
