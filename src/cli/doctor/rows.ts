/** Everything `doctor` says of this machine. */
import { fromText } from '../../platform/core/byte-path.ts';
import { openFileSystem } from '../../platform/open-filesystem.ts';
import type { Context } from '../context.ts';
import { foldersFrom } from '../folders.ts';
import type { DoctorRow } from '../request.ts';
import { featureRows } from './features.ts';
import { folderRows } from './folders.ts';
import { limitRows, privilegeRows } from './kernel.ts';
import { addonRows, programRows } from './machine.ts';
import { recordingRows, serviceRows } from './recording.ts';
import { sshRows } from './ssh.ts';
import { unnamedRows } from './unnamed.ts';

export async function rowsOfMachine({ environment, homeDirectory, dependencies }: Context): Promise<DoctorRow[]> {
  const opened = openFileSystem();
  const folders = foldersFrom(environment, homeDirectory);
  return [
    ...programRows(),
    ...addonRows(opened),
    ...featureRows(opened.fileSystem),
    ...privilegeRows(),
    ...limitRows(),
    ...recordingRows(fromText(homeDirectory)),
    ...(await serviceRows(await dependencies.service({ folders, environment, homeDirectory }))),
    ...(await sshRows(environment)),
    ...(await folderRows(folders, homeDirectory)),
  ];
}

/** What the journal would do with a directory of this machine, beside what its endpoint says. */
export function rowsOfDirectory(path: string): DoctorRow[] {
  return [...recordingRows(path), ...unnamedRows(openFileSystem().fileSystem, path)];
}
