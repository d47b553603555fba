/**
 * Grey baseline JPEG pictures (ITU-T T.81). All Huffman codes have one length: larger files than need be, but tables
 * that a decoder reads from the file like any other.
 */

/** Natural position of each coefficient in zig-zag order. */
const zigzag = Array.from({ length: 64 }, (_, at) => at).sort((a, b) => {
  const [sumA, sumB] = [(a >> 3) + (a & 7), (b >> 3) + (b & 7)]
  return sumA - sumB || (sumA % 2 === 0 ? b - a : a - b)
})

const dcSymbols = Array.from({ length: 12 }, (_, size) => size)
const acSymbols = [
  0x00,
  0xf0,
  ...Array.from({ length: 160 }, (_, at) => (Math.floor(at / 10) << 4) | ((at % 10) + 1)),
]
const acCodes = new Map(acSymbols.map((symbol, code) => [symbol, code]))
const dcBits = 4
const acBits = 8

const cosines = Float64Array.from({ length: 64 }, (_, at) => {
  const [frequency, place] = [at >> 3, at & 7]
  return (frequency === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * place + 1) * frequency * Math.PI) / 16)
})

class BitWriter {
  #bytes = []
  #held = 0
  #heldBits = 0

  write(value, bits) {
    for (let bit = bits - 1; bit >= 0; bit--) {
      this.#held = (this.#held << 1) | ((value >> bit) & 1)
      if (++this.#heldBits < 8) continue
      this.#bytes.push(this.#held)
      if (this.#held === 0xff) this.#bytes.push(0)
      this.#held = 0
      this.#heldBits = 0
    }
  }

  finish() {
    while (this.#heldBits > 0) this.write(1, 1)
    return Buffer.from(this.#bytes)
  }
}

function segment(marker, body) {
  const head = Buffer.from([0xff, marker, 0, 0])
  head.writeUInt16BE(body.length + 2, 2)
  return Buffer.concat([head, body])
}

function huffmanTable(id, bits, symbols) {
  const counts = Array.from({ length: 16 }, (_, at) => (at + 1 === bits ? symbols.length : 0))
  return segment(0xc4, Buffer.from([id, ...counts, ...symbols]))
}

function sizeOf(value) {
  return 32 - Math.clz32(Math.abs(value))
}

/** Two's complement for positive values, one's complement for negative ones. */
function writeMagnitude(writer, value, size) {
  writer.write(value < 0 ? value + (1 << size) - 1 : value, size)
}

function transform(pixelAt, x, y, step) {
  const pixels = Float64Array.from({ length: 64 }, (_, at) => pixelAt(x + (at & 7), y + (at >> 3)) - 128)
  const rows = new Float64Array(64)
  for (let row = 0; row < 8; row++)
    for (let u = 0; u < 8; u++)
      for (let column = 0; column < 8; column++)
        rows[row * 8 + u] += pixels[row * 8 + column] * cosines[u * 8 + column]
  const quantized = new Int32Array(64)
  for (let v = 0; v < 8; v++)
    for (let u = 0; u < 8; u++) {
      let sum = 0
      for (let row = 0; row < 8; row++) sum += rows[row * 8 + u] * cosines[v * 8 + row]
      quantized[v * 8 + u] = Math.round(sum / step)
    }
  return quantized
}

function writeBlock(writer, coefficients, previousDc) {
  const difference = coefficients[0] - previousDc
  const dcSize = sizeOf(difference)
  writer.write(dcSize, dcBits)
  writeMagnitude(writer, difference, dcSize)
  let run = 0
  for (let at = 1; at < 64; at++) {
    const value = coefficients[zigzag[at]]
    if (value === 0) {
      run++
      continue
    }
    for (; run > 15; run -= 16) writer.write(acCodes.get(0xf0), acBits)
    const size = sizeOf(value)
    writer.write(acCodes.get((run << 4) | size), acBits)
    writeMagnitude(writer, value, size)
    run = 0
  }
  if (run > 0) writer.write(acCodes.get(0x00), acBits)
}

/**
 * @param {number} width a multiple of 8
 * @param {number} height a multiple of 8
 * @param {(x: number, y: number) => number} pixelAt 0 (black) to 255
 * @param {number} step quantization from 2 (fine, large) to 255
 */
export function encodeJpeg(width, height, pixelAt, step) {
  const writer = new BitWriter()
  let previousDc = 0
  for (let y = 0; y < height; y += 8)
    for (let x = 0; x < width; x += 8) {
      const coefficients = transform(pixelAt, x, y, step)
      writeBlock(writer, coefficients, previousDc)
      previousDc = coefficients[0]
    }
  const frame = Buffer.from([8, 0, 0, 0, 0, 1, 1, 0x11, 0])
  frame.writeUInt16BE(height, 1)
  frame.writeUInt16BE(width, 3)
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xe0, Buffer.from('JFIF\0\x01\x01\0\0\x01\0\x01\0\0', 'latin1')),
    segment(0xdb, Buffer.from([0, ...Array.from({ length: 64 }, () => step)])),
    segment(0xc0, frame),
    huffmanTable(0x00, dcBits, dcSymbols),
    huffmanTable(0x10, acBits, acSymbols),
    segment(0xda, Buffer.from([1, 1, 0x00, 0, 63, 0])),
    writer.finish(),
    Buffer.from([0xff, 0xd9]),
  ])
}

/** The same picture with a comment in it, which makes the file another one. It goes behind the JFIF header. */
export function commentJpeg(jpeg, comment) {
  const at = 4 + jpeg.readUInt16BE(4)
  return Buffer.concat([jpeg.subarray(0, at), segment(0xfe, Buffer.from(comment)), jpeg.subarray(at)])
}
