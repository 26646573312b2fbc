/** Everything `doctor` says of this machine. */
import { openFileSystem } from '../../platform/open-filesystem.ts';
import type { Context } from '../context.ts';
import { foldersFrom } from '../folders.ts';
import type { DoctorRow } from '../request.ts';
import { featureRows } from './features.ts';
import { folderRows } from './folders.ts';
import { addonRows, limitRows, privilegeRows, programRows } from './machine.ts';
import { sshRows } from './ssh.ts';

export async function rowsOfMachine({ environment, homeDirectory }: Context): Promise<DoctorRow[]> {
  const opened = openFileSystem();
  return [
    ...programRows(),
    ...addonRows(opened),
    ...featureRows(opened.fileSystem),
    ...privilegeRows(),
    ...limitRows(),
    ...(await sshRows(environment)),
    ...(await folderRows(foldersFrom(environment, homeDirectory), homeDirectory)),
  ];
}
