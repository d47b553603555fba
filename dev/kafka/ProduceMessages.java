import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Produces what it reads from standard input, with the Java client: `java -cp LIBS ProduceMessages.java BROKER`.
 *
 * A line has fields separated by tabs. `use TOPIC CODEC [TRANSACTIONAL-ID]` makes a producer and ends the one before;
 * `begin`, `commit` and `abort` are its transactions; `send MILLISECONDS KEY VALUE [NAME VALUE]...` is a message. Keys,
 * values and header names are base64; `-` is null.
 */
public class ProduceMessages {
  public static void main(String[] arguments) throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in));
    KafkaProducer<byte[], byte[]> producer = null;
    String topic = null;
    for (String line; (line = lines.readLine()) != null; ) {
      var fields = line.split("\t", -1);
      switch (fields[0]) {
        case "use" -> {
          if (producer != null) producer.close();
          topic = fields[1];
          producer = connect(arguments[0], fields[2], fields.length > 3 ? fields[3] : null);
        }
        case "begin" -> producer.beginTransaction();
        case "commit" -> producer.commitTransaction();
        case "abort" -> {
          // What has not been sent yet would never be.
          producer.flush();
          producer.abortTransaction();
        }
        case "send" -> {
          List<Header> headers = new ArrayList<>();
          for (int at = 4; at < fields.length; at += 2)
            headers.add(new RecordHeader(new String(bytes(fields[at]), "UTF-8"), bytes(fields[at + 1])));
          var time = Long.parseLong(fields[1]);
          producer.send(new ProducerRecord<>(topic, 0, time, bytes(fields[2]), bytes(fields[3]), headers));
        }
        default -> throw new IllegalArgumentException(line);
      }
    }
    producer.close();
  }

  private static byte[] bytes(String field) {
    return field.equals("-") ? null : Base64.getDecoder().decode(field);
  }

  private static KafkaProducer<byte[], byte[]> connect(String broker, String codec, String transactionalId) {
    var properties = new Properties();
    properties.put("bootstrap.servers", broker);
    properties.put("compression.type", codec);
    properties.put("batch.size", "131072");
    // All messages until the end of the producer or transaction are one batch.
    properties.put("linger.ms", "30000");
    properties.put("delivery.timeout.ms", "120000");
    if (transactionalId != null) properties.put("transactional.id", transactionalId);
    var serializer = new ByteArraySerializer();
    var producer = new KafkaProducer<>(properties, serializer, serializer);
    if (transactionalId != null) producer.initTransactions();
    return producer;
  }
}
