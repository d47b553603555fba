type RejectionCause =
  | 'labels-too-large' // key, headers and constants together exceed `labelBytesMax`
  | 'entry-name-too-long' // a segment of the entry name, made of a key or header, exceeds `segmentBytesMax`

/** A message that cannot be stored as its rule asks. A value, not an error: the sink decides what becomes of it. */
export interface Rejection {
  readonly rejected: RejectionCause
  readonly bytes: number
  readonly bytesMax: number
}
