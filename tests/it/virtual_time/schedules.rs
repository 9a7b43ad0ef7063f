//! Random traffic, random faults, random rebalances and crashes: what must hold, holds.
