/** The options sorted by who needs them. */
import type { RunOptions, SessionOptions } from '../../sync/options.ts';
import type { ConnectionOptions, OutputOptions } from '../request.ts';
import type { OptionValues } from './table.ts';

export function sessionOptions(values: OptionValues): SessionOptions {
  return {
    mode: values.mode,
    conflict: values.conflict,
    ignore: {
      patterns: values.ignore,
      file: values['ignore-file'],
      gitignore: values.gitignore,
      vcs: values['ignore-vcs'],
    },
    metadata: {
      perms: values.perms,
      times: values.times,
      setid: values.setid,
      owner: values.owner,
      xattrs: values.xattrs,
      acls: values.acls,
      hardLinks: values['hard-links'],
    },
    symlinks: values.symlinks,
    oneFileSystem: values['one-file-system'],
    maxDelete: values['max-delete'],
    digest: values.digest,
    backup: values.backup,
    keepVersionsSeconds: values['keep-versions'],
    durable: values.fsync,
  };
}

export function runOptions(values: OptionValues): RunOptions {
  return { dryRun: values['dry-run'], rehash: values.checksum, force: values.force };
}

export function connectionOptions(values: OptionValues): ConnectionOptions {
  return {
    rsh: values.rsh,
    identity: values.identity,
    port: values.port,
    hostKey: values['host-key'],
    sshConfig: values['ssh-config'],
    agentCommand: values['agent-command'],
    bwlimit: values.bwlimit,
    compress: values.compress,
  };
}

export function outputOptions(values: OptionValues): OutputOptions {
  return {
    json: values.json,
    progress: values.progress,
    quiet: values.quiet,
    verbose: values.verbose,
    logFile: values['log-file'],
  };
}
