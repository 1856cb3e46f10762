// The contract, on Google's own emulator: what the embedded Bigtable is held to is what Google's code does.
import { bigtableContract } from '../contracts/bigtable/suite.ts';
import { findEmulator, orSkip, startEmulator } from './google-emulator.ts';

const emulator = await findEmulator();

orSkip("Google's Bigtable emulator", emulator, (found) => {
  bigtableContract("Google's emulator", () => startEmulator(found));
});
