/** A service of the operating system that starts the node when its owner logs in. */

export interface SystemService {
  /** The file that describes the service to the system. It exists while the service is installed. */
  path: string
  /**
   * Writes the file, and starts the node now and at each login.
   *
   * @param command a program and its arguments
   * @throws CommandError if the system refuses. The file is removed then
   */
  install: (command: readonly string[]) => Promise<void>
  /** Stops the node after its running answers, and removes the file. */
  uninstall: () => Promise<void>
  logs: () => Promise<void>
  /** How to start the node at boot, without a login, in a sentence. */
  atBoot: string
}

/** Text for XML, in an element. */
export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
