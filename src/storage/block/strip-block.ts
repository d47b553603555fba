import { encodeDescriptor, type Descriptor } from '../codec/descriptor-codec.ts'

/**
 * The descriptor without the records of these times. Its size stays: their bytes become holes, everything else keeps
 * its place. Times that it does not have are passed over.
 * @param lastFrame sequence of the frame that says so
 */
export function stripDescriptor(
  id: bigint,
  descriptor: Descriptor,
  timestampsUs: readonly bigint[],
  lastFrame: number,
): Uint8Array {
  const gone = new Set(timestampsUs)
  const records: Uint8Array[] = []
  descriptor.timestampsUs.forEach((timestampUs, index) => {
    if (gone.has(timestampUs)) return
    records.push(
      descriptor.bytes.subarray(descriptor.recordFromBytes[index], descriptor.recordToBytes[index]),
    )
  })
  const { sizeBytes, otherFields } = descriptor
  return encodeDescriptor({ id, sizeBytes, lastFrame, otherFields }, records)
}
