/** Which of two states of a process is the later one. Pure. */

const STEPS = { queued: 0, running: 1, completed: 2, failed: 2, cancelled: 2 };

/**
 * A process as it was read, with what a change told of it where that is later: a status never goes
 * back.
 *
 * @param {object} process
 * @param {object | null} told a change's summary
 */
export function newer(process, told) {
  if (!told || !(STEPS[told.status] > STEPS[process.status])) return process;
  const { status, endTime, error } = told;
  return { ...process, status, endTime, error };
}
