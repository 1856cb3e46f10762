// The Bigtable contract on Google's emulator: the embedded Bigtable is held to the behaviour of Google's code.
import { bigtableContract } from '../contracts/bigtable/suite.ts';
import { findEmulator, orSkip, startEmulator } from './google-emulator.ts';

const emulator = await findEmulator();

orSkip("Google's Bigtable emulator", emulator, (found) => {
  bigtableContract("Google's emulator", () => startEmulator(found));
});
