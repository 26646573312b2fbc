/** Every option there is. Names, meanings and defaults are the command line's contract. */
import { COMPRESS_MODES } from '../../transport/core/hello.ts';
import { choice, flag, list, type OptionSpec, toggle, type ValueOf, value } from './kinds.ts';
import {
  parseDeletionLimit,
  parseDuration,
  parseLine,
  parseName,
  parsePattern,
  parsePort,
  parseRate,
} from './values.ts';

const SYNC = ['sync'] as const;
const COMPARING = ['sync', 'verify'] as const;
const CONNECTING = ['sync', 'verify', 'doctor'] as const;
const ALL = [...CONNECTING, 'journal', 'daemon'] as const;

const DECISIONS = 'What wins:';
const PATHS = 'Which paths:';
const METADATA = 'Which metadata:';
const SAFETY = 'Safety:';
const TRANSFER = 'Transfer:';
const CONNECTION = 'Connection:';
const OUTPUT = 'Output:';

const SECONDS_IN_30_DAYS = 30 * 86_400;

const IGNORES = {
  ignore: list({
    description: 'leave matching paths alone (gitignore syntax; repeatable)',
    argument: 'pattern',
    expects: "Give one pattern in gitignore syntax, such as 'build/' or '*.tmp'.",
    parse: parsePattern,
    combine: 'append',
    group: PATHS,
    users: COMPARING,
  }),
  'ignore-file': value({
    description: 'read patterns from the file of this name at each root (default: .tidemarkignore)',
    argument: 'name',
    expects: 'Give a bare file name; it is looked for at the root.',
    parse: parseName,
    defaultValue: '.tidemarkignore',
    group: PATHS,
    users: COMPARING,
  }),
  gitignore: flag({ description: 'honour nested .gitignore files', group: PATHS, users: COMPARING }),
  'ignore-vcs': flag({ description: 'ignore .git, .hg, .svn and the like', group: PATHS, users: COMPARING }),
  symlinks: choice(['posix-raw', 'portable', 'ignore'], {
    description: 'symlinks as they are, only portable ones, or none; never followed',
    defaultValue: 'posix-raw',
    group: PATHS,
    users: COMPARING,
  }),
  'one-file-system': flag({ description: 'stay on the file system of each root', group: PATHS, users: COMPARING }),
} satisfies Record<string, OptionSpec>;

const METADATA_OPTIONS = {
  perms: toggle<boolean>({
    description: 'permission bits (default: on)',
    shown: 'both',
    defaultValue: true,
    group: METADATA,
    users: COMPARING,
  }),
  times: toggle<boolean>({
    description: 'modification times of files (default: on)',
    shown: 'both',
    defaultValue: true,
    group: METADATA,
    users: COMPARING,
  }),
  setid: flag({ description: 'setuid, setgid and sticky bits too', group: METADATA, users: COMPARING }),
  owner: flag({ description: 'numeric owner and group (needs root)', group: METADATA, users: COMPARING }),
  xattrs: flag({ description: 'extended attributes', group: METADATA, users: COMPARING }),
  acls: flag({ description: 'POSIX access control lists', group: METADATA, users: COMPARING }),
  'hard-links': flag({
    description: 'names that share an inode share one on the other side',
    group: METADATA,
    users: COMPARING,
  }),
} satisfies Record<string, OptionSpec>;

const SAFETY_OPTIONS = {
  'dry-run': flag({ short: 'n', description: 'say what would be done; write nothing', group: SAFETY, users: SYNC }),
  'max-delete': value({
    description: 'halt above this many deletions, or this share of a side (default: 50%; 10 files always pass)',
    argument: 'N|P%',
    expects: 'Give a count such as 100, or a share such as 50%.',
    parse: parseDeletionLimit,
    defaultValue: { kind: 'percent', percent: 50 },
    group: SAFETY,
    users: SYNC,
  }),
  force: flag({
    description: 'let this one run through a safety halt',
    notConfigurable: 'it lets one run through a halt; set for good it would switch the brakes off',
    group: SAFETY,
    users: SYNC,
  }),
  backup: toggle<boolean>({
    description: 'keep what is overwritten or deleted (default: on)',
    shown: 'both',
    defaultValue: true,
    group: SAFETY,
    users: SYNC,
  }),
  'keep-versions': value({
    description: 'for how long (default: 30d)',
    argument: 'duration',
    expects: 'Give a number with a unit: s, m, h, d, w or y, such as 12h, 30d or 2w.',
    parse: parseDuration,
    defaultValue: SECONDS_IN_30_DAYS,
    group: SAFETY,
    users: SYNC,
  }),
  fsync: toggle<boolean>({
    description: 'do not wait for the disk; faster, but a power cut may cost files',
    shown: 'off',
    defaultValue: true,
    group: SAFETY,
    users: SYNC,
  }),
} satisfies Record<string, OptionSpec>;

const TRANSFER_OPTIONS = {
  checksum: flag({
    description: 'trust no remembered digest; read every file again',
    group: TRANSFER,
    users: SYNC,
  }),
  digest: choice(['xxh64', 'sha256'], {
    description: 'what tells whether a file changed',
    defaultValue: 'xxh64',
    group: TRANSFER,
    users: COMPARING,
  }),
  bwlimit: value({
    description: 'bytes per second at most, such as 500K or 10MiB; as with rsync a bare number counts KiB',
    argument: 'rate',
    expects: 'Give a number with K, M, G (or KiB, MB, …) such as 500K, or 0 for no limit.',
    parse: parseRate,
    defaultValue: null,
    group: TRANSFER,
    users: COMPARING,
  }),
  compress: choice(COMPRESS_MODES, {
    description: 'compression on the wire',
    defaultValue: 'auto',
    group: TRANSFER,
    users: COMPARING,
  }),
} satisfies Record<string, OptionSpec>;

const CONNECTION_OPTIONS = {
  rsh: value<string | null>({
    description: 'use this ssh program instead of the built-in client',
    argument: 'command',
    expects: "Give a command, such as 'ssh -v'.",
    parse: parseLine,
    defaultValue: null,
    group: CONNECTION,
    users: CONNECTING,
  }),
  identity: list({
    short: 'i',
    description: 'private key (repeatable)',
    argument: 'file',
    expects: 'Give the file of a private key.',
    parse: parseLine,
    combine: 'replace',
    isFile: true,
    group: CONNECTION,
    users: CONNECTING,
  }),
  port: value<number | null>({
    description: 'port of the ssh server',
    argument: 'number',
    expects: 'Give a whole number from 1 to 65535.',
    parse: parsePort,
    defaultValue: null,
    group: CONNECTION,
    users: CONNECTING,
  }),
  'host-key': choice(['strict', 'accept-new'], {
    description: 'refuse unknown hosts, or remember them; a changed key is always refused',
    defaultValue: 'strict',
    group: CONNECTION,
    users: CONNECTING,
  }),
  'ssh-config': value<string | null>({
    description: 'use this file instead of ~/.ssh/config',
    argument: 'file',
    expects: 'Give a file in the format of ssh_config.',
    parse: parseLine,
    isFile: true,
    defaultValue: null,
    group: CONNECTION,
    users: CONNECTING,
  }),
  'agent-command': value<string | null>({
    description: 'start the remote half with this command instead of the installed agent',
    argument: 'command',
    expects: "Give the command to run on the other host, such as '/opt/tidemark/bin/tidemark agent serve'.",
    parse: parseLine,
    defaultValue: null,
    group: CONNECTION,
    users: CONNECTING,
  }),
} satisfies Record<string, OptionSpec>;

const OUTPUT_OPTIONS = {
  json: flag({ description: 'one JSON object per line on stdout', group: OUTPUT, users: ALL }),
  progress: toggle<boolean | undefined>({
    description: 'show progress (default: on a terminal)',
    shown: 'both',
    defaultValue: undefined,
    group: OUTPUT,
    users: COMPARING,
  }),
  quiet: flag({ short: 'q', description: 'print trouble only', group: OUTPUT, users: ALL }),
  verbose: flag({ short: 'v', description: 'print every path, and more about errors', group: OUTPUT, users: ALL }),
  'log-file': value<string | null>({
    description: 'append what happens to this file, one JSON object per line',
    argument: 'file',
    expects: 'Give a file to append to.',
    parse: parseLine,
    isFile: true,
    defaultValue: null,
    group: OUTPUT,
    users: COMPARING,
  }),
} satisfies Record<string, OptionSpec>;

/** All options by name, in the order the help shows them. */
export const OPTIONS = {
  mode: choice(['two-way-safe', 'two-way-resolved', 'one-way-safe', 'one-way-replica'], {
    description: 'which way changes go; alpha is the source or winner',
    defaultValue: 'two-way-safe',
    group: DECISIONS,
    users: SYNC,
  }),
  conflict: choice(['report', 'copy', 'newer', 'older', 'larger', 'alpha', 'beta'], {
    description: 'what becomes of a path both sides changed',
    defaultValue: 'report',
    group: DECISIONS,
    users: SYNC,
  }),
  ...IGNORES,
  ...METADATA_OPTIONS,
  ...SAFETY_OPTIONS,
  ...TRANSFER_OPTIONS,
  ...CONNECTION_OPTIONS,
  ...OUTPUT_OPTIONS,
} satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof OPTIONS;

/** A value for every option. */
export type OptionValues = { readonly [Name in OptionName]: ValueOf<(typeof OPTIONS)[Name]> };

/** Names and descriptions of the options of one command, in order. */
export function optionsOf(user: OptionSpec['users'][number]): [OptionName, OptionSpec][] {
  return optionEntries().filter(([, spec]) => spec.users.includes(user));
}

/** All names and descriptions, in order. */
export function optionEntries(): [OptionName, OptionSpec][] {
  return Object.entries(OPTIONS) as [OptionName, OptionSpec][];
}

/** The description of the option `name`, where there is one. */
export function optionNamed(name: string): OptionSpec | undefined {
  return Object.hasOwn(OPTIONS, name) ? OPTIONS[name as OptionName] : undefined;
}
