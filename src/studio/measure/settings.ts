import type { PresetName } from '../../train/config.ts';
import type { AdapterLimits } from './protocol.ts';

/** What is set above both views. */
export interface Settings {
  readonly preset: PresetName;
  /** Also dispatches that are estimated to take long. */
  readonly long: boolean;
  /** Measured, and shown, on the first call. */
  limits(): Promise<AdapterLimits>;
}
