/** A secret as it stands in a file, without the line end that editors add. @throws {Error} when it is empty */
export function secretText(content: Buffer): string {
  const text = content.toString('utf8').replace(/\r?\n$/, '')
  if (text === '') throw new Error('the file is empty')
  return text
}
