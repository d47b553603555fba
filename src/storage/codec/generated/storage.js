/*eslint-disable block-scoped-var, id-length, no-control-regex, no-magic-numbers, no-mixed-operators, no-prototype-builtins, no-redeclare, no-shadow, no-var, sort-vars, default-case, jsdoc/require-param*/
import $protobuf from "protobufjs/minimal.js";

// Common aliases
const $Reader = $protobuf.Reader, $Writer = $protobuf.Writer, $util = $protobuf.util;
const $Object = $util.global.Object, $undefined = $util.global.undefined, $Error = $util.global.Error, $RangeError = $util.global.RangeError;

// Exported root namespace
const $root = $protobuf.roots["default"] || ($protobuf.roots["default"] = {});

export const sediment = $root.sediment = (() => {

    /**
     * Namespace sediment.
     * @exports sediment
     * @namespace
     */
    const sediment = {};

    sediment.storage = (function() {

        /**
         * Namespace storage.
         * @memberof sediment
         * @namespace
         */
        const storage = {};

        storage.Timestamp = (function() {

            /**
             * Properties of a Timestamp.
             * @typedef {Object} sediment.storage.Timestamp.$Properties
             * @property {number|null} [seconds] Timestamp seconds
             * @property {number|null} [nanos] Timestamp nanos
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */

            /**
             * Properties of a Timestamp.
             * @memberof sediment.storage
             * @interface ITimestamp
             * @augments sediment.storage.Timestamp.$Properties
             * @deprecated Use sediment.storage.Timestamp.$Properties instead.
             */

            /**
             * Shape of a Timestamp.
             * @typedef {sediment.storage.Timestamp.$Properties} sediment.storage.Timestamp.$Shape
             */

            /**
             * Constructs a new Timestamp.
             * @memberof sediment.storage
             * @classdesc Represents a Timestamp.
             * @constructor
             * @param {sediment.storage.Timestamp.$Properties=} [properties] Properties to set
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */
            const Timestamp = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            /**
             * Timestamp seconds.
             * @member {number} seconds
             * @memberof sediment.storage.Timestamp
             * @instance
             */
            Timestamp.prototype.seconds = $util.Long ? $util.Long.fromBits(0,0,false) : 0;

            /**
             * Timestamp nanos.
             * @member {number} nanos
             * @memberof sediment.storage.Timestamp
             * @instance
             */
            Timestamp.prototype.nanos = 0;

            /**
             * Encodes the specified Timestamp message. Does not implicitly {@link sediment.storage.Timestamp.verify|verify} messages.
             * @function encode
             * @memberof sediment.storage.Timestamp
             * @static
             * @param {sediment.storage.Timestamp.$Properties} message Timestamp message or plain object to encode
             * @param {$protobuf.Writer} [writer] Writer to encode to
             * @returns {$protobuf.Writer} Writer
             */
            Timestamp.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.seconds != null && $Object.hasOwnProperty.call(message, "seconds") && (typeof message.seconds === "object" ? message.seconds.low || message.seconds.high : message.seconds !== 0))
                    writer.uint32(/* id 1, wireType 0 =*/8).int64(message.seconds);
                if (message.nanos != null && $Object.hasOwnProperty.call(message, "nanos") && message.nanos !== 0)
                    writer.uint32(/* id 2, wireType 0 =*/16).int32(message.nanos);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            /**
             * Decodes a Timestamp message from the specified reader or buffer.
             * @function decode
             * @memberof sediment.storage.Timestamp
             * @static
             * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
             * @param {number} [length] Message length if known beforehand
             * @returns {sediment.storage.Timestamp & sediment.storage.Timestamp.$Shape} Timestamp
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            Timestamp.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.sediment.storage.Timestamp();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.int64()) === "object" ? value.low || value.high : value !== 0)
                                message.seconds = value;
                            else
                                delete message.seconds;
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.nanos = value;
                            else
                                delete message.nanos;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            /**
             * Gets the type url for Timestamp
             * @function getTypeUrl
             * @memberof sediment.storage.Timestamp
             * @static
             * @param {string} [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns {string} The type url
             */
            Timestamp.getTypeUrl = function(prefix) {
                if (prefix === $undefined)
                    prefix = "type.googleapis.com";
                return prefix + "/sediment.storage.Timestamp";
            };

            return Timestamp;
        })();

        storage.BucketSettings = (function() {

            /**
             * Properties of a BucketSettings.
             * @typedef {Object} sediment.storage.BucketSettings.$Properties
             * @property {number|null} [maxBlockSize] BucketSettings maxBlockSize
             * @property {sediment.storage.BucketSettings.QuotaType|null} [quotaType] BucketSettings quotaType
             * @property {number|null} [quotaSize] BucketSettings quotaSize
             * @property {number|null} [maxBlockRecords] BucketSettings maxBlockRecords
             * @property {number|null} [checksum] BucketSettings checksum
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */

            /**
             * Properties of a BucketSettings.
             * @memberof sediment.storage
             * @interface IBucketSettings
             * @augments sediment.storage.BucketSettings.$Properties
             * @deprecated Use sediment.storage.BucketSettings.$Properties instead.
             */

            /**
             * Shape of a BucketSettings.
             * @typedef {sediment.storage.BucketSettings.$Properties} sediment.storage.BucketSettings.$Shape
             */

            /**
             * Constructs a new BucketSettings.
             * @memberof sediment.storage
             * @classdesc Represents a BucketSettings.
             * @constructor
             * @param {sediment.storage.BucketSettings.$Properties=} [properties] Properties to set
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */
            const BucketSettings = function (properties) {
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            /**
             * BucketSettings maxBlockSize.
             * @member {number|null|undefined} maxBlockSize
             * @memberof sediment.storage.BucketSettings
             * @instance
             */
            BucketSettings.prototype.maxBlockSize = null;

            /**
             * BucketSettings quotaType.
             * @member {sediment.storage.BucketSettings.QuotaType|null|undefined} quotaType
             * @memberof sediment.storage.BucketSettings
             * @instance
             */
            BucketSettings.prototype.quotaType = null;

            /**
             * BucketSettings quotaSize.
             * @member {number|null|undefined} quotaSize
             * @memberof sediment.storage.BucketSettings
             * @instance
             */
            BucketSettings.prototype.quotaSize = null;

            /**
             * BucketSettings maxBlockRecords.
             * @member {number|null|undefined} maxBlockRecords
             * @memberof sediment.storage.BucketSettings
             * @instance
             */
            BucketSettings.prototype.maxBlockRecords = null;

            /**
             * BucketSettings checksum.
             * @member {number|null|undefined} checksum
             * @memberof sediment.storage.BucketSettings
             * @instance
             */
            BucketSettings.prototype.checksum = null;

            // OneOf field names bound to virtual getters and setters
            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(BucketSettings.prototype, "_maxBlockSize", {
                get: $util.oneOfGetter($oneOfFields = ["maxBlockSize"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(BucketSettings.prototype, "_quotaType", {
                get: $util.oneOfGetter($oneOfFields = ["quotaType"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(BucketSettings.prototype, "_quotaSize", {
                get: $util.oneOfGetter($oneOfFields = ["quotaSize"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(BucketSettings.prototype, "_maxBlockRecords", {
                get: $util.oneOfGetter($oneOfFields = ["maxBlockRecords"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(BucketSettings.prototype, "_checksum", {
                get: $util.oneOfGetter($oneOfFields = ["checksum"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            /**
             * Encodes the specified BucketSettings message. Does not implicitly {@link sediment.storage.BucketSettings.verify|verify} messages.
             * @function encode
             * @memberof sediment.storage.BucketSettings
             * @static
             * @param {sediment.storage.BucketSettings.$Properties} message BucketSettings message or plain object to encode
             * @param {$protobuf.Writer} [writer] Writer to encode to
             * @returns {$protobuf.Writer} Writer
             */
            BucketSettings.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.maxBlockSize != null && $Object.hasOwnProperty.call(message, "maxBlockSize"))
                    writer.uint32(/* id 1, wireType 0 =*/8).uint64(message.maxBlockSize);
                if (message.quotaType != null && $Object.hasOwnProperty.call(message, "quotaType"))
                    writer.uint32(/* id 2, wireType 0 =*/16).int32(message.quotaType);
                if (message.quotaSize != null && $Object.hasOwnProperty.call(message, "quotaSize"))
                    writer.uint32(/* id 3, wireType 0 =*/24).uint64(message.quotaSize);
                if (message.maxBlockRecords != null && $Object.hasOwnProperty.call(message, "maxBlockRecords"))
                    writer.uint32(/* id 4, wireType 0 =*/32).uint64(message.maxBlockRecords);
                if (message.checksum != null && $Object.hasOwnProperty.call(message, "checksum"))
                    writer.uint32(/* id 1000, wireType 5 =*/8005).fixed32(message.checksum);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            /**
             * Decodes a BucketSettings message from the specified reader or buffer.
             * @function decode
             * @memberof sediment.storage.BucketSettings
             * @static
             * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
             * @param {number} [length] Message length if known beforehand
             * @returns {sediment.storage.BucketSettings & sediment.storage.BucketSettings.$Shape} BucketSettings
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            BucketSettings.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.sediment.storage.BucketSettings();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 0)
                                break;
                            message.maxBlockSize = reader.uint64();
                            message._maxBlockSize = "maxBlockSize";
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            message.quotaType = reader.int32();
                            message._quotaType = "quotaType";
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            message.quotaSize = reader.uint64();
                            message._quotaSize = "quotaSize";
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            message.maxBlockRecords = reader.uint64();
                            message._maxBlockRecords = "maxBlockRecords";
                            continue;
                        }
                    case 1000: {
                            if (wireType !== 5)
                                break;
                            message.checksum = reader.fixed32();
                            message._checksum = "checksum";
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            /**
             * Gets the type url for BucketSettings
             * @function getTypeUrl
             * @memberof sediment.storage.BucketSettings
             * @static
             * @param {string} [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns {string} The type url
             */
            BucketSettings.getTypeUrl = function(prefix) {
                if (prefix === $undefined)
                    prefix = "type.googleapis.com";
                return prefix + "/sediment.storage.BucketSettings";
            };

            /**
             * QuotaType enum.
             * @name sediment.storage.BucketSettings.QuotaType
             * @enum {number}
             * @property {number} NONE=0 NONE value
             * @property {number} FIFO=1 FIFO value
             * @property {number} HARD=2 HARD value
             */
            BucketSettings.QuotaType = (function() {
                const valuesById = $Object.create(null), values = $Object.create(valuesById);
                values[valuesById[0] = "NONE"] = 0;
                values[valuesById[1] = "FIFO"] = 1;
                values[valuesById[2] = "HARD"] = 2;
                return values;
            })();

            return BucketSettings;
        })();

        storage.Record = (function() {

            /**
             * Properties of a Record.
             * @typedef {Object} sediment.storage.Record.$Properties
             * @property {sediment.storage.Timestamp.$Properties|null} [timestamp] Record timestamp
             * @property {number|null} [begin] Record begin
             * @property {number|null} [end] Record end
             * @property {sediment.storage.Record.State|null} [state] Record state
             * @property {Array.<sediment.storage.Record.Label.$Properties>|null} [labels] Record labels
             * @property {string|null} [contentType] Record contentType
             * @property {number|null} [contentCrc32] Record contentCrc32
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */

            /**
             * Properties of a Record.
             * @memberof sediment.storage
             * @interface IRecord
             * @augments sediment.storage.Record.$Properties
             * @deprecated Use sediment.storage.Record.$Properties instead.
             */

            /**
             * Shape of a Record.
             * @typedef {sediment.storage.Record.$Properties} sediment.storage.Record.$Shape
             */

            /**
             * Constructs a new Record.
             * @memberof sediment.storage
             * @classdesc Represents a Record.
             * @constructor
             * @param {sediment.storage.Record.$Properties=} [properties] Properties to set
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */
            const Record = function (properties) {
                this.labels = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            /**
             * Record timestamp.
             * @member {sediment.storage.Timestamp.$Properties|null|undefined} timestamp
             * @memberof sediment.storage.Record
             * @instance
             */
            Record.prototype.timestamp = null;

            /**
             * Record begin.
             * @member {number} begin
             * @memberof sediment.storage.Record
             * @instance
             */
            Record.prototype.begin = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            /**
             * Record end.
             * @member {number} end
             * @memberof sediment.storage.Record
             * @instance
             */
            Record.prototype.end = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            /**
             * Record state.
             * @member {sediment.storage.Record.State} state
             * @memberof sediment.storage.Record
             * @instance
             */
            Record.prototype.state = 0;

            /**
             * Record labels.
             * @member {Array.<sediment.storage.Record.Label.$Properties>} labels
             * @memberof sediment.storage.Record
             * @instance
             */
            Record.prototype.labels = $util.emptyArray;

            /**
             * Record contentType.
             * @member {string} contentType
             * @memberof sediment.storage.Record
             * @instance
             */
            Record.prototype.contentType = "";

            /**
             * Record contentCrc32.
             * @member {number|null|undefined} contentCrc32
             * @memberof sediment.storage.Record
             * @instance
             */
            Record.prototype.contentCrc32 = null;

            // OneOf field names bound to virtual getters and setters
            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(Record.prototype, "_contentCrc32", {
                get: $util.oneOfGetter($oneOfFields = ["contentCrc32"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            /**
             * Encodes the specified Record message. Does not implicitly {@link sediment.storage.Record.verify|verify} messages.
             * @function encode
             * @memberof sediment.storage.Record
             * @static
             * @param {sediment.storage.Record.$Properties} message Record message or plain object to encode
             * @param {$protobuf.Writer} [writer] Writer to encode to
             * @returns {$protobuf.Writer} Writer
             */
            Record.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.timestamp != null && $Object.hasOwnProperty.call(message, "timestamp"))
                    $root.sediment.storage.Timestamp.encode(message.timestamp, writer.uint32(/* id 1, wireType 2 =*/10).fork(), _depth + 1).ldelim();
                if (message.begin != null && $Object.hasOwnProperty.call(message, "begin") && (typeof message.begin === "object" ? message.begin.low || message.begin.high : message.begin !== 0))
                    writer.uint32(/* id 2, wireType 0 =*/16).uint64(message.begin);
                if (message.end != null && $Object.hasOwnProperty.call(message, "end") && (typeof message.end === "object" ? message.end.low || message.end.high : message.end !== 0))
                    writer.uint32(/* id 3, wireType 0 =*/24).uint64(message.end);
                if (message.state != null && $Object.hasOwnProperty.call(message, "state") && message.state !== 0)
                    writer.uint32(/* id 4, wireType 0 =*/32).int32(message.state);
                if (message.labels != null && message.labels.length)
                    for (let i = 0; i < message.labels.length; ++i)
                        $root.sediment.storage.Record.Label.encode(message.labels[i], writer.uint32(/* id 5, wireType 2 =*/42).fork(), _depth + 1).ldelim();
                if (message.contentType != null && $Object.hasOwnProperty.call(message, "contentType") && message.contentType !== "")
                    writer.uint32(/* id 6, wireType 2 =*/50).string(message.contentType);
                if (message.contentCrc32 != null && $Object.hasOwnProperty.call(message, "contentCrc32"))
                    writer.uint32(/* id 1000, wireType 5 =*/8005).fixed32(message.contentCrc32);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            /**
             * Decodes a Record message from the specified reader or buffer.
             * @function decode
             * @memberof sediment.storage.Record
             * @static
             * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
             * @param {number} [length] Message length if known beforehand
             * @returns {sediment.storage.Record & sediment.storage.Record.$Shape} Record
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            Record.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.sediment.storage.Record();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.timestamp = $root.sediment.storage.Timestamp.decode(reader, reader.size(), $undefined, _depth + 1, message.timestamp);
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.begin = value;
                            else
                                delete message.begin;
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.end = value;
                            else
                                delete message.end;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 0)
                                break;
                            if (value = reader.int32())
                                message.state = value;
                            else
                                delete message.state;
                            continue;
                        }
                    case 5: {
                            if (wireType !== 2)
                                break;
                            if (!(message.labels && message.labels.length))
                                message.labels = [];
                            message.labels.push($root.sediment.storage.Record.Label.decode(reader, reader.size(), $undefined, _depth + 1));
                            continue;
                        }
                    case 6: {
                            if (wireType !== 2)
                                break;
                            if ((value = reader.stringVerify()).length)
                                message.contentType = value;
                            else
                                delete message.contentType;
                            continue;
                        }
                    case 1000: {
                            if (wireType !== 5)
                                break;
                            message.contentCrc32 = reader.fixed32();
                            message._contentCrc32 = "contentCrc32";
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            /**
             * Gets the type url for Record
             * @function getTypeUrl
             * @memberof sediment.storage.Record
             * @static
             * @param {string} [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns {string} The type url
             */
            Record.getTypeUrl = function(prefix) {
                if (prefix === $undefined)
                    prefix = "type.googleapis.com";
                return prefix + "/sediment.storage.Record";
            };

            /**
             * State enum.
             * @name sediment.storage.Record.State
             * @enum {number}
             * @property {number} STARTED=0 STARTED value
             * @property {number} FINISHED=1 FINISHED value
             * @property {number} ERRORED=2 ERRORED value
             * @property {number} INVALID=3 INVALID value
             */
            Record.State = (function() {
                const valuesById = $Object.create(null), values = $Object.create(valuesById);
                values[valuesById[0] = "STARTED"] = 0;
                values[valuesById[1] = "FINISHED"] = 1;
                values[valuesById[2] = "ERRORED"] = 2;
                values[valuesById[3] = "INVALID"] = 3;
                return values;
            })();

            Record.Label = (function() {

                /**
                 * Properties of a Label.
                 * @typedef {Object} sediment.storage.Record.Label.$Properties
                 * @property {string|null} [name] Label name
                 * @property {string|null} [value] Label value
                 * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
                 */

                /**
                 * Properties of a Label.
                 * @memberof sediment.storage.Record
                 * @interface ILabel
                 * @augments sediment.storage.Record.Label.$Properties
                 * @deprecated Use sediment.storage.Record.Label.$Properties instead.
                 */

                /**
                 * Shape of a Label.
                 * @typedef {sediment.storage.Record.Label.$Properties} sediment.storage.Record.Label.$Shape
                 */

                /**
                 * Constructs a new Label.
                 * @memberof sediment.storage.Record
                 * @classdesc Represents a Label.
                 * @constructor
                 * @param {sediment.storage.Record.Label.$Properties=} [properties] Properties to set
                 * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
                 */
                const Label = function (properties) {
                    if (properties)
                        for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                };

                /**
                 * Label name.
                 * @member {string} name
                 * @memberof sediment.storage.Record.Label
                 * @instance
                 */
                Label.prototype.name = "";

                /**
                 * Label value.
                 * @member {string} value
                 * @memberof sediment.storage.Record.Label
                 * @instance
                 */
                Label.prototype.value = "";

                /**
                 * Encodes the specified Label message. Does not implicitly {@link sediment.storage.Record.Label.verify|verify} messages.
                 * @function encode
                 * @memberof sediment.storage.Record.Label
                 * @static
                 * @param {sediment.storage.Record.Label.$Properties} message Label message or plain object to encode
                 * @param {$protobuf.Writer} [writer] Writer to encode to
                 * @returns {$protobuf.Writer} Writer
                 */
                Label.encode = function (message, writer, _depth) {
                    if (!writer)
                        writer = $Writer.create();
                    if (_depth === $undefined)
                        _depth = 0;
                    if (_depth > $util.recursionLimit)
                        throw $Error("max depth exceeded");
                    if (message.name != null && $Object.hasOwnProperty.call(message, "name") && message.name !== "")
                        writer.uint32(/* id 1, wireType 2 =*/10).string(message.name);
                    if (message.value != null && $Object.hasOwnProperty.call(message, "value") && message.value !== "")
                        writer.uint32(/* id 2, wireType 2 =*/18).string(message.value);
                    if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                        for (let i = 0; i < message.$unknowns.length; ++i)
                            writer.raw(message.$unknowns[i]);
                    return writer;
                };

                /**
                 * Decodes a Label message from the specified reader or buffer.
                 * @function decode
                 * @memberof sediment.storage.Record.Label
                 * @static
                 * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
                 * @param {number} [length] Message length if known beforehand
                 * @returns {sediment.storage.Record.Label & sediment.storage.Record.Label.$Shape} Label
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                Label.decode = function (reader, length, _end, _depth, _target) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (_depth === $undefined)
                        _depth = 0;
                    if (_depth > $Reader.recursionLimit)
                        throw $Error("max depth exceeded");
                    let end, message, value;
                    if (length === $undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw $RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = _target || new $root.sediment.storage.Record.Label();
                    while (reader.pos < end) {
                        let start = reader.pos;
                        let tag = reader.tag();
                        if (tag === _end) {
                            _end = $undefined;
                            break;
                        }
                        let wireType = tag & 7;
                        switch (tag >>>= 3) {
                        case 1: {
                                if (wireType !== 2)
                                    break;
                                if ((value = reader.stringVerify()).length)
                                    message.name = value;
                                else
                                    delete message.name;
                                continue;
                            }
                        case 2: {
                                if (wireType !== 2)
                                    break;
                                if ((value = reader.stringVerify()).length)
                                    message.value = value;
                                else
                                    delete message.value;
                                continue;
                            }
                        }
                        reader.skipType(wireType, _depth, tag);
                        if (!reader.discardUnknown) {
                            $util.makeProp(message, "$unknowns", false);
                            (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                        }
                    }
                    if (length !== $undefined) {
                        if (reader.pos !== end)
                            throw $RangeError("index out of range");
                        reader.len = length;
                    }
                    if (_end !== $undefined)
                        throw $Error("missing end group");
                    return message;
                };

                /**
                 * Gets the type url for Label
                 * @function getTypeUrl
                 * @memberof sediment.storage.Record.Label
                 * @static
                 * @param {string} [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
                 * @returns {string} The type url
                 */
                Label.getTypeUrl = function(prefix) {
                    if (prefix === $undefined)
                        prefix = "type.googleapis.com";
                    return prefix + "/sediment.storage.Record.Label";
                };

                return Label;
            })();

            return Record;
        })();

        storage.Block = (function() {

            /**
             * Properties of a Block.
             * @typedef {Object} sediment.storage.Block.$Properties
             * @property {sediment.storage.Timestamp.$Properties|null} [beginTime] Block beginTime
             * @property {sediment.storage.Timestamp.$Properties|null} [latestRecordTime] Block latestRecordTime
             * @property {number|null} [size] Block size
             * @property {Array.<sediment.storage.Record.$Properties>|null} [records] Block records
             * @property {number|null} [recordCount] Block recordCount
             * @property {number|null} [metadataSize] Block metadataSize
             * @property {number|null} [version] Block version
             * @property {boolean|null} [corrupted] Block corrupted
             * @property {number|null} [lastFrame] Block lastFrame
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */

            /**
             * Properties of a Block.
             * @memberof sediment.storage
             * @interface IBlock
             * @augments sediment.storage.Block.$Properties
             * @deprecated Use sediment.storage.Block.$Properties instead.
             */

            /**
             * Shape of a Block.
             * @typedef {sediment.storage.Block.$Properties} sediment.storage.Block.$Shape
             */

            /**
             * Constructs a new Block.
             * @memberof sediment.storage
             * @classdesc Represents a Block.
             * @constructor
             * @param {sediment.storage.Block.$Properties=} [properties] Properties to set
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */
            const Block = function (properties) {
                this.records = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            /**
             * Block beginTime.
             * @member {sediment.storage.Timestamp.$Properties|null|undefined} beginTime
             * @memberof sediment.storage.Block
             * @instance
             */
            Block.prototype.beginTime = null;

            /**
             * Block latestRecordTime.
             * @member {sediment.storage.Timestamp.$Properties|null|undefined} latestRecordTime
             * @memberof sediment.storage.Block
             * @instance
             */
            Block.prototype.latestRecordTime = null;

            /**
             * Block size.
             * @member {number} size
             * @memberof sediment.storage.Block
             * @instance
             */
            Block.prototype.size = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            /**
             * Block records.
             * @member {Array.<sediment.storage.Record.$Properties>} records
             * @memberof sediment.storage.Block
             * @instance
             */
            Block.prototype.records = $util.emptyArray;

            /**
             * Block recordCount.
             * @member {number} recordCount
             * @memberof sediment.storage.Block
             * @instance
             */
            Block.prototype.recordCount = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            /**
             * Block metadataSize.
             * @member {number} metadataSize
             * @memberof sediment.storage.Block
             * @instance
             */
            Block.prototype.metadataSize = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            /**
             * Block version.
             * @member {number|null|undefined} version
             * @memberof sediment.storage.Block
             * @instance
             */
            Block.prototype.version = null;

            /**
             * Block corrupted.
             * @member {boolean|null|undefined} corrupted
             * @memberof sediment.storage.Block
             * @instance
             */
            Block.prototype.corrupted = null;

            /**
             * Block lastFrame.
             * @member {number|null|undefined} lastFrame
             * @memberof sediment.storage.Block
             * @instance
             */
            Block.prototype.lastFrame = null;

            // OneOf field names bound to virtual getters and setters
            let $oneOfFields;

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(Block.prototype, "_version", {
                get: $util.oneOfGetter($oneOfFields = ["version"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(Block.prototype, "_corrupted", {
                get: $util.oneOfGetter($oneOfFields = ["corrupted"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            // Virtual OneOf for proto3 optional field
            $Object.defineProperty(Block.prototype, "_lastFrame", {
                get: $util.oneOfGetter($oneOfFields = ["lastFrame"]),
                set: $util.oneOfSetter($oneOfFields)
            });

            /**
             * Encodes the specified Block message. Does not implicitly {@link sediment.storage.Block.verify|verify} messages.
             * @function encode
             * @memberof sediment.storage.Block
             * @static
             * @param {sediment.storage.Block.$Properties} message Block message or plain object to encode
             * @param {$protobuf.Writer} [writer] Writer to encode to
             * @returns {$protobuf.Writer} Writer
             */
            Block.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.beginTime != null && $Object.hasOwnProperty.call(message, "beginTime"))
                    $root.sediment.storage.Timestamp.encode(message.beginTime, writer.uint32(/* id 1, wireType 2 =*/10).fork(), _depth + 1).ldelim();
                if (message.latestRecordTime != null && $Object.hasOwnProperty.call(message, "latestRecordTime"))
                    $root.sediment.storage.Timestamp.encode(message.latestRecordTime, writer.uint32(/* id 2, wireType 2 =*/18).fork(), _depth + 1).ldelim();
                if (message.size != null && $Object.hasOwnProperty.call(message, "size") && (typeof message.size === "object" ? message.size.low || message.size.high : message.size !== 0))
                    writer.uint32(/* id 3, wireType 0 =*/24).uint64(message.size);
                if (message.records != null && message.records.length)
                    for (let i = 0; i < message.records.length; ++i)
                        $root.sediment.storage.Record.encode(message.records[i], writer.uint32(/* id 4, wireType 2 =*/34).fork(), _depth + 1).ldelim();
                if (message.recordCount != null && $Object.hasOwnProperty.call(message, "recordCount") && (typeof message.recordCount === "object" ? message.recordCount.low || message.recordCount.high : message.recordCount !== 0))
                    writer.uint32(/* id 6, wireType 0 =*/48).uint64(message.recordCount);
                if (message.metadataSize != null && $Object.hasOwnProperty.call(message, "metadataSize") && (typeof message.metadataSize === "object" ? message.metadataSize.low || message.metadataSize.high : message.metadataSize !== 0))
                    writer.uint32(/* id 7, wireType 0 =*/56).uint64(message.metadataSize);
                if (message.version != null && $Object.hasOwnProperty.call(message, "version"))
                    writer.uint32(/* id 8, wireType 0 =*/64).uint64(message.version);
                if (message.corrupted != null && $Object.hasOwnProperty.call(message, "corrupted"))
                    writer.uint32(/* id 9, wireType 0 =*/72).bool(message.corrupted);
                if (message.lastFrame != null && $Object.hasOwnProperty.call(message, "lastFrame"))
                    writer.uint32(/* id 1001, wireType 0 =*/8008).uint64(message.lastFrame);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            /**
             * Decodes a Block message from the specified reader or buffer.
             * @function decode
             * @memberof sediment.storage.Block
             * @static
             * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
             * @param {number} [length] Message length if known beforehand
             * @returns {sediment.storage.Block & sediment.storage.Block.$Shape} Block
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            Block.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.sediment.storage.Block();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            message.beginTime = $root.sediment.storage.Timestamp.decode(reader, reader.size(), $undefined, _depth + 1, message.beginTime);
                            continue;
                        }
                    case 2: {
                            if (wireType !== 2)
                                break;
                            message.latestRecordTime = $root.sediment.storage.Timestamp.decode(reader, reader.size(), $undefined, _depth + 1, message.latestRecordTime);
                            continue;
                        }
                    case 3: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.size = value;
                            else
                                delete message.size;
                            continue;
                        }
                    case 4: {
                            if (wireType !== 2)
                                break;
                            if (!(message.records && message.records.length))
                                message.records = [];
                            message.records.push($root.sediment.storage.Record.decode(reader, reader.size(), $undefined, _depth + 1));
                            continue;
                        }
                    case 6: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.recordCount = value;
                            else
                                delete message.recordCount;
                            continue;
                        }
                    case 7: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.metadataSize = value;
                            else
                                delete message.metadataSize;
                            continue;
                        }
                    case 8: {
                            if (wireType !== 0)
                                break;
                            message.version = reader.uint64();
                            message._version = "version";
                            continue;
                        }
                    case 9: {
                            if (wireType !== 0)
                                break;
                            message.corrupted = reader.bool();
                            message._corrupted = "corrupted";
                            continue;
                        }
                    case 1001: {
                            if (wireType !== 0)
                                break;
                            message.lastFrame = reader.uint64();
                            message._lastFrame = "lastFrame";
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            /**
             * Gets the type url for Block
             * @function getTypeUrl
             * @memberof sediment.storage.Block
             * @static
             * @param {string} [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns {string} The type url
             */
            Block.getTypeUrl = function(prefix) {
                if (prefix === $undefined)
                    prefix = "type.googleapis.com";
                return prefix + "/sediment.storage.Block";
            };

            return Block;
        })();

        storage.BlockIndex = (function() {

            /**
             * Properties of a BlockIndex.
             * @typedef {Object} sediment.storage.BlockIndex.$Properties
             * @property {Array.<sediment.storage.BlockIndex.Block.$Properties>|null} [blocks] BlockIndex blocks
             * @property {number|null} [crc64] BlockIndex crc64
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */

            /**
             * Properties of a BlockIndex.
             * @memberof sediment.storage
             * @interface IBlockIndex
             * @augments sediment.storage.BlockIndex.$Properties
             * @deprecated Use sediment.storage.BlockIndex.$Properties instead.
             */

            /**
             * Shape of a BlockIndex.
             * @typedef {sediment.storage.BlockIndex.$Properties} sediment.storage.BlockIndex.$Shape
             */

            /**
             * Constructs a new BlockIndex.
             * @memberof sediment.storage
             * @classdesc Represents a BlockIndex.
             * @constructor
             * @param {sediment.storage.BlockIndex.$Properties=} [properties] Properties to set
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */
            const BlockIndex = function (properties) {
                this.blocks = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            /**
             * BlockIndex blocks.
             * @member {Array.<sediment.storage.BlockIndex.Block.$Properties>} blocks
             * @memberof sediment.storage.BlockIndex
             * @instance
             */
            BlockIndex.prototype.blocks = $util.emptyArray;

            /**
             * BlockIndex crc64.
             * @member {number} crc64
             * @memberof sediment.storage.BlockIndex
             * @instance
             */
            BlockIndex.prototype.crc64 = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

            /**
             * Encodes the specified BlockIndex message. Does not implicitly {@link sediment.storage.BlockIndex.verify|verify} messages.
             * @function encode
             * @memberof sediment.storage.BlockIndex
             * @static
             * @param {sediment.storage.BlockIndex.$Properties} message BlockIndex message or plain object to encode
             * @param {$protobuf.Writer} [writer] Writer to encode to
             * @returns {$protobuf.Writer} Writer
             */
            BlockIndex.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.blocks != null && message.blocks.length)
                    for (let i = 0; i < message.blocks.length; ++i)
                        $root.sediment.storage.BlockIndex.Block.encode(message.blocks[i], writer.uint32(/* id 1, wireType 2 =*/10).fork(), _depth + 1).ldelim();
                if (message.crc64 != null && $Object.hasOwnProperty.call(message, "crc64") && (typeof message.crc64 === "object" ? message.crc64.low || message.crc64.high : message.crc64 !== 0))
                    writer.uint32(/* id 2, wireType 0 =*/16).uint64(message.crc64);
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            /**
             * Decodes a BlockIndex message from the specified reader or buffer.
             * @function decode
             * @memberof sediment.storage.BlockIndex
             * @static
             * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
             * @param {number} [length] Message length if known beforehand
             * @returns {sediment.storage.BlockIndex & sediment.storage.BlockIndex.$Shape} BlockIndex
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            BlockIndex.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message, value;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.sediment.storage.BlockIndex();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if (!(message.blocks && message.blocks.length))
                                message.blocks = [];
                            message.blocks.push($root.sediment.storage.BlockIndex.Block.decode(reader, reader.size(), $undefined, _depth + 1));
                            continue;
                        }
                    case 2: {
                            if (wireType !== 0)
                                break;
                            if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                message.crc64 = value;
                            else
                                delete message.crc64;
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            /**
             * Gets the type url for BlockIndex
             * @function getTypeUrl
             * @memberof sediment.storage.BlockIndex
             * @static
             * @param {string} [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns {string} The type url
             */
            BlockIndex.getTypeUrl = function(prefix) {
                if (prefix === $undefined)
                    prefix = "type.googleapis.com";
                return prefix + "/sediment.storage.BlockIndex";
            };

            BlockIndex.Block = (function() {

                /**
                 * Properties of a Block.
                 * @typedef {Object} sediment.storage.BlockIndex.Block.$Properties
                 * @property {number|null} [blockId] Block blockId
                 * @property {number|null} [size] Block size
                 * @property {number|null} [recordCount] Block recordCount
                 * @property {number|null} [metadataSize] Block metadataSize
                 * @property {sediment.storage.Timestamp.$Properties|null} [latestRecordTime] Block latestRecordTime
                 * @property {number|null} [crc64] Block crc64
                 * @property {sediment.storage.BlockIndex.Block.Compression|null} [compression] Block compression
                 * @property {boolean|null} [corrupted] Block corrupted
                 * @property {number|null} [version] Block version
                 * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
                 */

                /**
                 * Properties of a Block.
                 * @memberof sediment.storage.BlockIndex
                 * @interface IBlock
                 * @augments sediment.storage.BlockIndex.Block.$Properties
                 * @deprecated Use sediment.storage.BlockIndex.Block.$Properties instead.
                 */

                /**
                 * Shape of a Block.
                 * @typedef {sediment.storage.BlockIndex.Block.$Properties} sediment.storage.BlockIndex.Block.$Shape
                 */

                /**
                 * Constructs a new Block.
                 * @memberof sediment.storage.BlockIndex
                 * @classdesc Represents a Block.
                 * @constructor
                 * @param {sediment.storage.BlockIndex.Block.$Properties=} [properties] Properties to set
                 * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
                 */
                const Block = function (properties) {
                    if (properties)
                        for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                };

                /**
                 * Block blockId.
                 * @member {number} blockId
                 * @memberof sediment.storage.BlockIndex.Block
                 * @instance
                 */
                Block.prototype.blockId = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

                /**
                 * Block size.
                 * @member {number} size
                 * @memberof sediment.storage.BlockIndex.Block
                 * @instance
                 */
                Block.prototype.size = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

                /**
                 * Block recordCount.
                 * @member {number} recordCount
                 * @memberof sediment.storage.BlockIndex.Block
                 * @instance
                 */
                Block.prototype.recordCount = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

                /**
                 * Block metadataSize.
                 * @member {number} metadataSize
                 * @memberof sediment.storage.BlockIndex.Block
                 * @instance
                 */
                Block.prototype.metadataSize = $util.Long ? $util.Long.fromBits(0,0,true) : 0;

                /**
                 * Block latestRecordTime.
                 * @member {sediment.storage.Timestamp.$Properties|null|undefined} latestRecordTime
                 * @memberof sediment.storage.BlockIndex.Block
                 * @instance
                 */
                Block.prototype.latestRecordTime = null;

                /**
                 * Block crc64.
                 * @member {number|null|undefined} crc64
                 * @memberof sediment.storage.BlockIndex.Block
                 * @instance
                 */
                Block.prototype.crc64 = null;

                /**
                 * Block compression.
                 * @member {sediment.storage.BlockIndex.Block.Compression|null|undefined} compression
                 * @memberof sediment.storage.BlockIndex.Block
                 * @instance
                 */
                Block.prototype.compression = null;

                /**
                 * Block corrupted.
                 * @member {boolean|null|undefined} corrupted
                 * @memberof sediment.storage.BlockIndex.Block
                 * @instance
                 */
                Block.prototype.corrupted = null;

                /**
                 * Block version.
                 * @member {number|null|undefined} version
                 * @memberof sediment.storage.BlockIndex.Block
                 * @instance
                 */
                Block.prototype.version = null;

                // OneOf field names bound to virtual getters and setters
                let $oneOfFields;

                // Virtual OneOf for proto3 optional field
                $Object.defineProperty(Block.prototype, "_crc64", {
                    get: $util.oneOfGetter($oneOfFields = ["crc64"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                // Virtual OneOf for proto3 optional field
                $Object.defineProperty(Block.prototype, "_compression", {
                    get: $util.oneOfGetter($oneOfFields = ["compression"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                // Virtual OneOf for proto3 optional field
                $Object.defineProperty(Block.prototype, "_corrupted", {
                    get: $util.oneOfGetter($oneOfFields = ["corrupted"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                // Virtual OneOf for proto3 optional field
                $Object.defineProperty(Block.prototype, "_version", {
                    get: $util.oneOfGetter($oneOfFields = ["version"]),
                    set: $util.oneOfSetter($oneOfFields)
                });

                /**
                 * Encodes the specified Block message. Does not implicitly {@link sediment.storage.BlockIndex.Block.verify|verify} messages.
                 * @function encode
                 * @memberof sediment.storage.BlockIndex.Block
                 * @static
                 * @param {sediment.storage.BlockIndex.Block.$Properties} message Block message or plain object to encode
                 * @param {$protobuf.Writer} [writer] Writer to encode to
                 * @returns {$protobuf.Writer} Writer
                 */
                Block.encode = function (message, writer, _depth) {
                    if (!writer)
                        writer = $Writer.create();
                    if (_depth === $undefined)
                        _depth = 0;
                    if (_depth > $util.recursionLimit)
                        throw $Error("max depth exceeded");
                    if (message.blockId != null && $Object.hasOwnProperty.call(message, "blockId") && (typeof message.blockId === "object" ? message.blockId.low || message.blockId.high : message.blockId !== 0))
                        writer.uint32(/* id 1, wireType 0 =*/8).uint64(message.blockId);
                    if (message.size != null && $Object.hasOwnProperty.call(message, "size") && (typeof message.size === "object" ? message.size.low || message.size.high : message.size !== 0))
                        writer.uint32(/* id 2, wireType 0 =*/16).uint64(message.size);
                    if (message.recordCount != null && $Object.hasOwnProperty.call(message, "recordCount") && (typeof message.recordCount === "object" ? message.recordCount.low || message.recordCount.high : message.recordCount !== 0))
                        writer.uint32(/* id 3, wireType 0 =*/24).uint64(message.recordCount);
                    if (message.metadataSize != null && $Object.hasOwnProperty.call(message, "metadataSize") && (typeof message.metadataSize === "object" ? message.metadataSize.low || message.metadataSize.high : message.metadataSize !== 0))
                        writer.uint32(/* id 4, wireType 0 =*/32).uint64(message.metadataSize);
                    if (message.latestRecordTime != null && $Object.hasOwnProperty.call(message, "latestRecordTime"))
                        $root.sediment.storage.Timestamp.encode(message.latestRecordTime, writer.uint32(/* id 5, wireType 2 =*/42).fork(), _depth + 1).ldelim();
                    if (message.crc64 != null && $Object.hasOwnProperty.call(message, "crc64"))
                        writer.uint32(/* id 6, wireType 0 =*/48).uint64(message.crc64);
                    if (message.compression != null && $Object.hasOwnProperty.call(message, "compression"))
                        writer.uint32(/* id 7, wireType 0 =*/56).int32(message.compression);
                    if (message.corrupted != null && $Object.hasOwnProperty.call(message, "corrupted"))
                        writer.uint32(/* id 8, wireType 0 =*/64).bool(message.corrupted);
                    if (message.version != null && $Object.hasOwnProperty.call(message, "version"))
                        writer.uint32(/* id 9, wireType 0 =*/72).uint64(message.version);
                    if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                        for (let i = 0; i < message.$unknowns.length; ++i)
                            writer.raw(message.$unknowns[i]);
                    return writer;
                };

                /**
                 * Decodes a Block message from the specified reader or buffer.
                 * @function decode
                 * @memberof sediment.storage.BlockIndex.Block
                 * @static
                 * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
                 * @param {number} [length] Message length if known beforehand
                 * @returns {sediment.storage.BlockIndex.Block & sediment.storage.BlockIndex.Block.$Shape} Block
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                Block.decode = function (reader, length, _end, _depth, _target) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (_depth === $undefined)
                        _depth = 0;
                    if (_depth > $Reader.recursionLimit)
                        throw $Error("max depth exceeded");
                    let end, message, value;
                    if (length === $undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw $RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = _target || new $root.sediment.storage.BlockIndex.Block();
                    while (reader.pos < end) {
                        let start = reader.pos;
                        let tag = reader.tag();
                        if (tag === _end) {
                            _end = $undefined;
                            break;
                        }
                        let wireType = tag & 7;
                        switch (tag >>>= 3) {
                        case 1: {
                                if (wireType !== 0)
                                    break;
                                if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                    message.blockId = value;
                                else
                                    delete message.blockId;
                                continue;
                            }
                        case 2: {
                                if (wireType !== 0)
                                    break;
                                if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                    message.size = value;
                                else
                                    delete message.size;
                                continue;
                            }
                        case 3: {
                                if (wireType !== 0)
                                    break;
                                if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                    message.recordCount = value;
                                else
                                    delete message.recordCount;
                                continue;
                            }
                        case 4: {
                                if (wireType !== 0)
                                    break;
                                if (typeof (value = reader.uint64()) === "object" ? value.low || value.high : value !== 0)
                                    message.metadataSize = value;
                                else
                                    delete message.metadataSize;
                                continue;
                            }
                        case 5: {
                                if (wireType !== 2)
                                    break;
                                message.latestRecordTime = $root.sediment.storage.Timestamp.decode(reader, reader.size(), $undefined, _depth + 1, message.latestRecordTime);
                                continue;
                            }
                        case 6: {
                                if (wireType !== 0)
                                    break;
                                message.crc64 = reader.uint64();
                                message._crc64 = "crc64";
                                continue;
                            }
                        case 7: {
                                if (wireType !== 0)
                                    break;
                                message.compression = reader.int32();
                                message._compression = "compression";
                                continue;
                            }
                        case 8: {
                                if (wireType !== 0)
                                    break;
                                message.corrupted = reader.bool();
                                message._corrupted = "corrupted";
                                continue;
                            }
                        case 9: {
                                if (wireType !== 0)
                                    break;
                                message.version = reader.uint64();
                                message._version = "version";
                                continue;
                            }
                        }
                        reader.skipType(wireType, _depth, tag);
                        if (!reader.discardUnknown) {
                            $util.makeProp(message, "$unknowns", false);
                            (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                        }
                    }
                    if (length !== $undefined) {
                        if (reader.pos !== end)
                            throw $RangeError("index out of range");
                        reader.len = length;
                    }
                    if (_end !== $undefined)
                        throw $Error("missing end group");
                    return message;
                };

                /**
                 * Gets the type url for Block
                 * @function getTypeUrl
                 * @memberof sediment.storage.BlockIndex.Block
                 * @static
                 * @param {string} [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
                 * @returns {string} The type url
                 */
                Block.getTypeUrl = function(prefix) {
                    if (prefix === $undefined)
                        prefix = "type.googleapis.com";
                    return prefix + "/sediment.storage.BlockIndex.Block";
                };

                /**
                 * Compression enum.
                 * @name sediment.storage.BlockIndex.Block.Compression
                 * @enum {number}
                 * @property {number} NONE=0 NONE value
                 * @property {number} ZSTD=1 ZSTD value
                 */
                Block.Compression = (function() {
                    const valuesById = $Object.create(null), values = $Object.create(valuesById);
                    values[valuesById[0] = "NONE"] = 0;
                    values[valuesById[1] = "ZSTD"] = 1;
                    return values;
                })();

                return Block;
            })();

            return BlockIndex;
        })();

        storage.FolderMap = (function() {

            /**
             * Properties of a FolderMap.
             * @typedef {Object} sediment.storage.FolderMap.$Properties
             * @property {Array.<sediment.storage.FolderMap.Item.$Properties>|null} [items] FolderMap items
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */

            /**
             * Properties of a FolderMap.
             * @memberof sediment.storage
             * @interface IFolderMap
             * @augments sediment.storage.FolderMap.$Properties
             * @deprecated Use sediment.storage.FolderMap.$Properties instead.
             */

            /**
             * Shape of a FolderMap.
             * @typedef {sediment.storage.FolderMap.$Properties} sediment.storage.FolderMap.$Shape
             */

            /**
             * Constructs a new FolderMap.
             * @memberof sediment.storage
             * @classdesc Represents a FolderMap.
             * @constructor
             * @param {sediment.storage.FolderMap.$Properties=} [properties] Properties to set
             * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
             */
            const FolderMap = function (properties) {
                this.items = [];
                if (properties)
                    for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                        if (properties[keys[i]] != null && keys[i] !== "__proto__")
                            this[keys[i]] = properties[keys[i]];
            };

            /**
             * FolderMap items.
             * @member {Array.<sediment.storage.FolderMap.Item.$Properties>} items
             * @memberof sediment.storage.FolderMap
             * @instance
             */
            FolderMap.prototype.items = $util.emptyArray;

            /**
             * Encodes the specified FolderMap message. Does not implicitly {@link sediment.storage.FolderMap.verify|verify} messages.
             * @function encode
             * @memberof sediment.storage.FolderMap
             * @static
             * @param {sediment.storage.FolderMap.$Properties} message FolderMap message or plain object to encode
             * @param {$protobuf.Writer} [writer] Writer to encode to
             * @returns {$protobuf.Writer} Writer
             */
            FolderMap.encode = function (message, writer, _depth) {
                if (!writer)
                    writer = $Writer.create();
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $util.recursionLimit)
                    throw $Error("max depth exceeded");
                if (message.items != null && message.items.length)
                    for (let i = 0; i < message.items.length; ++i)
                        $root.sediment.storage.FolderMap.Item.encode(message.items[i], writer.uint32(/* id 1, wireType 2 =*/10).fork(), _depth + 1).ldelim();
                if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                    for (let i = 0; i < message.$unknowns.length; ++i)
                        writer.raw(message.$unknowns[i]);
                return writer;
            };

            /**
             * Decodes a FolderMap message from the specified reader or buffer.
             * @function decode
             * @memberof sediment.storage.FolderMap
             * @static
             * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
             * @param {number} [length] Message length if known beforehand
             * @returns {sediment.storage.FolderMap & sediment.storage.FolderMap.$Shape} FolderMap
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            FolderMap.decode = function (reader, length, _end, _depth, _target) {
                if (!(reader instanceof $Reader))
                    reader = $Reader.create(reader);
                if (_depth === $undefined)
                    _depth = 0;
                if (_depth > $Reader.recursionLimit)
                    throw $Error("max depth exceeded");
                let end, message;
                if (length === $undefined)
                    end = reader.len;
                else {
                    end = reader.pos + length;
                    if (end > reader.len)
                        throw $RangeError("index out of range");
                    length = reader.len;
                    reader.len = end;
                }
                message = _target || new $root.sediment.storage.FolderMap();
                while (reader.pos < end) {
                    let start = reader.pos;
                    let tag = reader.tag();
                    if (tag === _end) {
                        _end = $undefined;
                        break;
                    }
                    let wireType = tag & 7;
                    switch (tag >>>= 3) {
                    case 1: {
                            if (wireType !== 2)
                                break;
                            if (!(message.items && message.items.length))
                                message.items = [];
                            message.items.push($root.sediment.storage.FolderMap.Item.decode(reader, reader.size(), $undefined, _depth + 1));
                            continue;
                        }
                    }
                    reader.skipType(wireType, _depth, tag);
                    if (!reader.discardUnknown) {
                        $util.makeProp(message, "$unknowns", false);
                        (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                    }
                }
                if (length !== $undefined) {
                    if (reader.pos !== end)
                        throw $RangeError("index out of range");
                    reader.len = length;
                }
                if (_end !== $undefined)
                    throw $Error("missing end group");
                return message;
            };

            /**
             * Gets the type url for FolderMap
             * @function getTypeUrl
             * @memberof sediment.storage.FolderMap
             * @static
             * @param {string} [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns {string} The type url
             */
            FolderMap.getTypeUrl = function(prefix) {
                if (prefix === $undefined)
                    prefix = "type.googleapis.com";
                return prefix + "/sediment.storage.FolderMap";
            };

            FolderMap.Item = (function() {

                /**
                 * Properties of an Item.
                 * @typedef {Object} sediment.storage.FolderMap.Item.$Properties
                 * @property {string|null} [name] Item name
                 * @property {string|null} [folderName] Item folderName
                 * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
                 */

                /**
                 * Properties of an Item.
                 * @memberof sediment.storage.FolderMap
                 * @interface IItem
                 * @augments sediment.storage.FolderMap.Item.$Properties
                 * @deprecated Use sediment.storage.FolderMap.Item.$Properties instead.
                 */

                /**
                 * Shape of an Item.
                 * @typedef {sediment.storage.FolderMap.Item.$Properties} sediment.storage.FolderMap.Item.$Shape
                 */

                /**
                 * Constructs a new Item.
                 * @memberof sediment.storage.FolderMap
                 * @classdesc Represents an Item.
                 * @constructor
                 * @param {sediment.storage.FolderMap.Item.$Properties=} [properties] Properties to set
                 * @property {Array.<Uint8Array>} [$unknowns] Unknown fields preserved while decoding when enabled
                 */
                const Item = function (properties) {
                    if (properties)
                        for (let keys = $Object.keys(properties), i = 0; i < keys.length; ++i)
                            if (properties[keys[i]] != null && keys[i] !== "__proto__")
                                this[keys[i]] = properties[keys[i]];
                };

                /**
                 * Item name.
                 * @member {string} name
                 * @memberof sediment.storage.FolderMap.Item
                 * @instance
                 */
                Item.prototype.name = "";

                /**
                 * Item folderName.
                 * @member {string} folderName
                 * @memberof sediment.storage.FolderMap.Item
                 * @instance
                 */
                Item.prototype.folderName = "";

                /**
                 * Encodes the specified Item message. Does not implicitly {@link sediment.storage.FolderMap.Item.verify|verify} messages.
                 * @function encode
                 * @memberof sediment.storage.FolderMap.Item
                 * @static
                 * @param {sediment.storage.FolderMap.Item.$Properties} message Item message or plain object to encode
                 * @param {$protobuf.Writer} [writer] Writer to encode to
                 * @returns {$protobuf.Writer} Writer
                 */
                Item.encode = function (message, writer, _depth) {
                    if (!writer)
                        writer = $Writer.create();
                    if (_depth === $undefined)
                        _depth = 0;
                    if (_depth > $util.recursionLimit)
                        throw $Error("max depth exceeded");
                    if (message.name != null && $Object.hasOwnProperty.call(message, "name") && message.name !== "")
                        writer.uint32(/* id 1, wireType 2 =*/10).string(message.name);
                    if (message.folderName != null && $Object.hasOwnProperty.call(message, "folderName") && message.folderName !== "")
                        writer.uint32(/* id 2, wireType 2 =*/18).string(message.folderName);
                    if (message.$unknowns != null && $Object.hasOwnProperty.call(message, "$unknowns"))
                        for (let i = 0; i < message.$unknowns.length; ++i)
                            writer.raw(message.$unknowns[i]);
                    return writer;
                };

                /**
                 * Decodes an Item message from the specified reader or buffer.
                 * @function decode
                 * @memberof sediment.storage.FolderMap.Item
                 * @static
                 * @param {$protobuf.Reader|Uint8Array} reader Reader or buffer to decode from
                 * @param {number} [length] Message length if known beforehand
                 * @returns {sediment.storage.FolderMap.Item & sediment.storage.FolderMap.Item.$Shape} Item
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                Item.decode = function (reader, length, _end, _depth, _target) {
                    if (!(reader instanceof $Reader))
                        reader = $Reader.create(reader);
                    if (_depth === $undefined)
                        _depth = 0;
                    if (_depth > $Reader.recursionLimit)
                        throw $Error("max depth exceeded");
                    let end, message, value;
                    if (length === $undefined)
                        end = reader.len;
                    else {
                        end = reader.pos + length;
                        if (end > reader.len)
                            throw $RangeError("index out of range");
                        length = reader.len;
                        reader.len = end;
                    }
                    message = _target || new $root.sediment.storage.FolderMap.Item();
                    while (reader.pos < end) {
                        let start = reader.pos;
                        let tag = reader.tag();
                        if (tag === _end) {
                            _end = $undefined;
                            break;
                        }
                        let wireType = tag & 7;
                        switch (tag >>>= 3) {
                        case 1: {
                                if (wireType !== 2)
                                    break;
                                if ((value = reader.stringVerify()).length)
                                    message.name = value;
                                else
                                    delete message.name;
                                continue;
                            }
                        case 2: {
                                if (wireType !== 2)
                                    break;
                                if ((value = reader.stringVerify()).length)
                                    message.folderName = value;
                                else
                                    delete message.folderName;
                                continue;
                            }
                        }
                        reader.skipType(wireType, _depth, tag);
                        if (!reader.discardUnknown) {
                            $util.makeProp(message, "$unknowns", false);
                            (message.$unknowns || (message.$unknowns = [])).push(reader.raw(start, reader.pos));
                        }
                    }
                    if (length !== $undefined) {
                        if (reader.pos !== end)
                            throw $RangeError("index out of range");
                        reader.len = length;
                    }
                    if (_end !== $undefined)
                        throw $Error("missing end group");
                    return message;
                };

                /**
                 * Gets the type url for Item
                 * @function getTypeUrl
                 * @memberof sediment.storage.FolderMap.Item
                 * @static
                 * @param {string} [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
                 * @returns {string} The type url
                 */
                Item.getTypeUrl = function(prefix) {
                    if (prefix === $undefined)
                        prefix = "type.googleapis.com";
                    return prefix + "/sediment.storage.FolderMap.Item";
                };

                return Item;
            })();

            return FolderMap;
        })();

        return storage;
    })();

    return sediment;
})();

export {
  $root as default
};
