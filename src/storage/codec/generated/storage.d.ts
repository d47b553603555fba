import * as $protobuf from "protobufjs/minimal.js";
import Long = require("long");

/** Namespace sediment. */
export namespace sediment {

    /** Namespace storage. */
    namespace storage {

        /**
         * Properties of a Timestamp.
         * @deprecated Use sediment.storage.Timestamp.$Properties instead.
         */
        interface ITimestamp extends sediment.storage.Timestamp.$Properties {
        }

        /** Represents a Timestamp. */
        class Timestamp {

            /**
             * Constructs a new Timestamp.
             * @param [properties] Properties to set
             */
            constructor(properties?: sediment.storage.Timestamp.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Timestamp seconds. */
            seconds: number;

            /** Timestamp nanos. */
            nanos: number;

            /**
             * Encodes the specified Timestamp message. Does not implicitly {@link sediment.storage.Timestamp.verify|verify} messages.
             * @param message Timestamp message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: sediment.storage.Timestamp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Timestamp message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {sediment.storage.Timestamp & sediment.storage.Timestamp.$Shape} Timestamp
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sediment.storage.Timestamp & sediment.storage.Timestamp.$Shape;

            /**
             * Gets the type url for Timestamp
             * @param [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns The type url
             */
            static getTypeUrl(prefix?: string): string;
        }

        namespace Timestamp {

            /** Properties of a Timestamp. */
            interface $Properties {

                /** Timestamp seconds */
                seconds?: (number|null);

                /** Timestamp nanos */
                nanos?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Timestamp. */
            type $Shape = sediment.storage.Timestamp.$Properties;
        }

        /**
         * Properties of a BucketSettings.
         * @deprecated Use sediment.storage.BucketSettings.$Properties instead.
         */
        interface IBucketSettings extends sediment.storage.BucketSettings.$Properties {
        }

        /** Represents a BucketSettings. */
        class BucketSettings {

            /**
             * Constructs a new BucketSettings.
             * @param [properties] Properties to set
             */
            constructor(properties?: sediment.storage.BucketSettings.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** BucketSettings maxBlockSize. */
            maxBlockSize?: (number|null);

            /** BucketSettings quotaType. */
            quotaType?: (sediment.storage.BucketSettings.QuotaType|null);

            /** BucketSettings quotaSize. */
            quotaSize?: (number|null);

            /** BucketSettings maxBlockRecords. */
            maxBlockRecords?: (number|null);

            /** BucketSettings checksum. */
            checksum?: (number|null);

            /**
             * Encodes the specified BucketSettings message. Does not implicitly {@link sediment.storage.BucketSettings.verify|verify} messages.
             * @param message BucketSettings message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: sediment.storage.BucketSettings.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a BucketSettings message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {sediment.storage.BucketSettings & sediment.storage.BucketSettings.$Shape} BucketSettings
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sediment.storage.BucketSettings & sediment.storage.BucketSettings.$Shape;

            /**
             * Gets the type url for BucketSettings
             * @param [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns The type url
             */
            static getTypeUrl(prefix?: string): string;
        }

        namespace BucketSettings {

            /** Properties of a BucketSettings. */
            interface $Properties {

                /** BucketSettings maxBlockSize */
                maxBlockSize?: (number|null);

                /** BucketSettings quotaType */
                quotaType?: (sediment.storage.BucketSettings.QuotaType|null);

                /** BucketSettings quotaSize */
                quotaSize?: (number|null);

                /** BucketSettings maxBlockRecords */
                maxBlockRecords?: (number|null);

                /** BucketSettings checksum */
                checksum?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a BucketSettings. */
            type $Shape = sediment.storage.BucketSettings.$Properties;

            /** QuotaType enum. */
            enum QuotaType {

                /** NONE value */
                NONE = 0,

                /** FIFO value */
                FIFO = 1,

                /** HARD value */
                HARD = 2
            }
        }

        /**
         * Properties of a Record.
         * @deprecated Use sediment.storage.Record.$Properties instead.
         */
        interface IRecord extends sediment.storage.Record.$Properties {
        }

        /** Represents a Record. */
        class Record {

            /**
             * Constructs a new Record.
             * @param [properties] Properties to set
             */
            constructor(properties?: sediment.storage.Record.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Record timestamp. */
            timestamp?: (sediment.storage.Timestamp.$Properties|null);

            /** Record begin. */
            begin: number;

            /** Record end. */
            end: number;

            /** Record state. */
            state: sediment.storage.Record.State;

            /** Record labels. */
            labels: sediment.storage.Record.Label.$Properties[];

            /** Record contentType. */
            contentType: string;

            /** Record contentCrc32. */
            contentCrc32?: (number|null);

            /**
             * Encodes the specified Record message. Does not implicitly {@link sediment.storage.Record.verify|verify} messages.
             * @param message Record message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: sediment.storage.Record.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Record message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {sediment.storage.Record & sediment.storage.Record.$Shape} Record
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sediment.storage.Record & sediment.storage.Record.$Shape;

            /**
             * Gets the type url for Record
             * @param [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns The type url
             */
            static getTypeUrl(prefix?: string): string;
        }

        namespace Record {

            /** Properties of a Record. */
            interface $Properties {

                /** Record timestamp */
                timestamp?: (sediment.storage.Timestamp.$Properties|null);

                /** Record begin */
                begin?: (number|null);

                /** Record end */
                end?: (number|null);

                /** Record state */
                state?: (sediment.storage.Record.State|null);

                /** Record labels */
                labels?: (sediment.storage.Record.Label.$Properties[]|null);

                /** Record contentType */
                contentType?: (string|null);

                /** Record contentCrc32 */
                contentCrc32?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Record. */
            type $Shape = sediment.storage.Record.$Properties;

            /** State enum. */
            enum State {

                /** STARTED value */
                STARTED = 0,

                /** FINISHED value */
                FINISHED = 1,

                /** ERRORED value */
                ERRORED = 2,

                /** INVALID value */
                INVALID = 3
            }

            /**
             * Properties of a Label.
             * @deprecated Use sediment.storage.Record.Label.$Properties instead.
             */
            interface ILabel extends sediment.storage.Record.Label.$Properties {
            }

            /** Represents a Label. */
            class Label {

                /**
                 * Constructs a new Label.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: sediment.storage.Record.Label.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Label name. */
                name: string;

                /** Label value. */
                value: string;

                /**
                 * Encodes the specified Label message. Does not implicitly {@link sediment.storage.Record.Label.verify|verify} messages.
                 * @param message Label message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: sediment.storage.Record.Label.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Label message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {sediment.storage.Record.Label & sediment.storage.Record.Label.$Shape} Label
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sediment.storage.Record.Label & sediment.storage.Record.Label.$Shape;

                /**
                 * Gets the type url for Label
                 * @param [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
                 * @returns The type url
                 */
                static getTypeUrl(prefix?: string): string;
            }

            namespace Label {

                /** Properties of a Label. */
                interface $Properties {

                    /** Label name */
                    name?: (string|null);

                    /** Label value */
                    value?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Label. */
                type $Shape = sediment.storage.Record.Label.$Properties;
            }
        }

        /**
         * Properties of a Block.
         * @deprecated Use sediment.storage.Block.$Properties instead.
         */
        interface IBlock extends sediment.storage.Block.$Properties {
        }

        /** Represents a Block. */
        class Block {

            /**
             * Constructs a new Block.
             * @param [properties] Properties to set
             */
            constructor(properties?: sediment.storage.Block.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Block beginTime. */
            beginTime?: (sediment.storage.Timestamp.$Properties|null);

            /** Block latestRecordTime. */
            latestRecordTime?: (sediment.storage.Timestamp.$Properties|null);

            /** Block size. */
            size: number;

            /** Block records. */
            records: sediment.storage.Record.$Properties[];

            /** Block recordCount. */
            recordCount: number;

            /** Block metadataSize. */
            metadataSize: number;

            /** Block version. */
            version?: (number|null);

            /** Block corrupted. */
            corrupted?: (boolean|null);

            /** Block lastFrame. */
            lastFrame?: (number|null);

            /**
             * Encodes the specified Block message. Does not implicitly {@link sediment.storage.Block.verify|verify} messages.
             * @param message Block message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: sediment.storage.Block.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Block message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {sediment.storage.Block & sediment.storage.Block.$Shape} Block
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sediment.storage.Block & sediment.storage.Block.$Shape;

            /**
             * Gets the type url for Block
             * @param [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns The type url
             */
            static getTypeUrl(prefix?: string): string;
        }

        namespace Block {

            /** Properties of a Block. */
            interface $Properties {

                /** Block beginTime */
                beginTime?: (sediment.storage.Timestamp.$Properties|null);

                /** Block latestRecordTime */
                latestRecordTime?: (sediment.storage.Timestamp.$Properties|null);

                /** Block size */
                size?: (number|null);

                /** Block records */
                records?: (sediment.storage.Record.$Properties[]|null);

                /** Block recordCount */
                recordCount?: (number|null);

                /** Block metadataSize */
                metadataSize?: (number|null);

                /** Block version */
                version?: (number|null);

                /** Block corrupted */
                corrupted?: (boolean|null);

                /** Block lastFrame */
                lastFrame?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Block. */
            type $Shape = sediment.storage.Block.$Properties;
        }

        /**
         * Properties of a BlockIndex.
         * @deprecated Use sediment.storage.BlockIndex.$Properties instead.
         */
        interface IBlockIndex extends sediment.storage.BlockIndex.$Properties {
        }

        /** Represents a BlockIndex. */
        class BlockIndex {

            /**
             * Constructs a new BlockIndex.
             * @param [properties] Properties to set
             */
            constructor(properties?: sediment.storage.BlockIndex.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** BlockIndex blocks. */
            blocks: sediment.storage.BlockIndex.Block.$Properties[];

            /** BlockIndex crc64. */
            crc64: number;

            /**
             * Encodes the specified BlockIndex message. Does not implicitly {@link sediment.storage.BlockIndex.verify|verify} messages.
             * @param message BlockIndex message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: sediment.storage.BlockIndex.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a BlockIndex message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {sediment.storage.BlockIndex & sediment.storage.BlockIndex.$Shape} BlockIndex
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sediment.storage.BlockIndex & sediment.storage.BlockIndex.$Shape;

            /**
             * Gets the type url for BlockIndex
             * @param [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns The type url
             */
            static getTypeUrl(prefix?: string): string;
        }

        namespace BlockIndex {

            /** Properties of a BlockIndex. */
            interface $Properties {

                /** BlockIndex blocks */
                blocks?: (sediment.storage.BlockIndex.Block.$Properties[]|null);

                /** BlockIndex crc64 */
                crc64?: (number|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a BlockIndex. */
            type $Shape = sediment.storage.BlockIndex.$Properties;

            /**
             * Properties of a Block.
             * @deprecated Use sediment.storage.BlockIndex.Block.$Properties instead.
             */
            interface IBlock extends sediment.storage.BlockIndex.Block.$Properties {
            }

            /** Represents a Block. */
            class Block {

                /**
                 * Constructs a new Block.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: sediment.storage.BlockIndex.Block.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Block blockId. */
                blockId: number;

                /** Block size. */
                size: number;

                /** Block recordCount. */
                recordCount: number;

                /** Block metadataSize. */
                metadataSize: number;

                /** Block latestRecordTime. */
                latestRecordTime?: (sediment.storage.Timestamp.$Properties|null);

                /** Block crc64. */
                crc64?: (number|null);

                /** Block compression. */
                compression?: (sediment.storage.BlockIndex.Block.Compression|null);

                /** Block corrupted. */
                corrupted?: (boolean|null);

                /** Block version. */
                version?: (number|null);

                /**
                 * Encodes the specified Block message. Does not implicitly {@link sediment.storage.BlockIndex.Block.verify|verify} messages.
                 * @param message Block message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: sediment.storage.BlockIndex.Block.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Block message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {sediment.storage.BlockIndex.Block & sediment.storage.BlockIndex.Block.$Shape} Block
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sediment.storage.BlockIndex.Block & sediment.storage.BlockIndex.Block.$Shape;

                /**
                 * Gets the type url for Block
                 * @param [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
                 * @returns The type url
                 */
                static getTypeUrl(prefix?: string): string;
            }

            namespace Block {

                /** Properties of a Block. */
                interface $Properties {

                    /** Block blockId */
                    blockId?: (number|null);

                    /** Block size */
                    size?: (number|null);

                    /** Block recordCount */
                    recordCount?: (number|null);

                    /** Block metadataSize */
                    metadataSize?: (number|null);

                    /** Block latestRecordTime */
                    latestRecordTime?: (sediment.storage.Timestamp.$Properties|null);

                    /** Block crc64 */
                    crc64?: (number|null);

                    /** Block compression */
                    compression?: (sediment.storage.BlockIndex.Block.Compression|null);

                    /** Block corrupted */
                    corrupted?: (boolean|null);

                    /** Block version */
                    version?: (number|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of a Block. */
                type $Shape = sediment.storage.BlockIndex.Block.$Properties;

                /** Compression enum. */
                enum Compression {

                    /** NONE value */
                    NONE = 0,

                    /** ZSTD value */
                    ZSTD = 1
                }
            }
        }

        /**
         * Properties of a FolderMap.
         * @deprecated Use sediment.storage.FolderMap.$Properties instead.
         */
        interface IFolderMap extends sediment.storage.FolderMap.$Properties {
        }

        /** Represents a FolderMap. */
        class FolderMap {

            /**
             * Constructs a new FolderMap.
             * @param [properties] Properties to set
             */
            constructor(properties?: sediment.storage.FolderMap.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** FolderMap items. */
            items: sediment.storage.FolderMap.Item.$Properties[];

            /**
             * Encodes the specified FolderMap message. Does not implicitly {@link sediment.storage.FolderMap.verify|verify} messages.
             * @param message FolderMap message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: sediment.storage.FolderMap.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a FolderMap message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {sediment.storage.FolderMap & sediment.storage.FolderMap.$Shape} FolderMap
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sediment.storage.FolderMap & sediment.storage.FolderMap.$Shape;

            /**
             * Gets the type url for FolderMap
             * @param [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
             * @returns The type url
             */
            static getTypeUrl(prefix?: string): string;
        }

        namespace FolderMap {

            /** Properties of a FolderMap. */
            interface $Properties {

                /** FolderMap items */
                items?: (sediment.storage.FolderMap.Item.$Properties[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a FolderMap. */
            type $Shape = sediment.storage.FolderMap.$Properties;

            /**
             * Properties of an Item.
             * @deprecated Use sediment.storage.FolderMap.Item.$Properties instead.
             */
            interface IItem extends sediment.storage.FolderMap.Item.$Properties {
            }

            /** Represents an Item. */
            class Item {

                /**
                 * Constructs a new Item.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: sediment.storage.FolderMap.Item.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Item name. */
                name: string;

                /** Item folderName. */
                folderName: string;

                /**
                 * Encodes the specified Item message. Does not implicitly {@link sediment.storage.FolderMap.Item.verify|verify} messages.
                 * @param message Item message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: sediment.storage.FolderMap.Item.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes an Item message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {sediment.storage.FolderMap.Item & sediment.storage.FolderMap.Item.$Shape} Item
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): sediment.storage.FolderMap.Item & sediment.storage.FolderMap.Item.$Shape;

                /**
                 * Gets the type url for Item
                 * @param [prefix] Custom type url prefix, defaults to `"type.googleapis.com"`
                 * @returns The type url
                 */
                static getTypeUrl(prefix?: string): string;
            }

            namespace Item {

                /** Properties of an Item. */
                interface $Properties {

                    /** Item name */
                    name?: (string|null);

                    /** Item folderName */
                    folderName?: (string|null);

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Shape of an Item. */
                type $Shape = sediment.storage.FolderMap.Item.$Properties;
            }
        }
    }
}
