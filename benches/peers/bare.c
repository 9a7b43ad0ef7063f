// Consumes a topic with librdkafka and does nothing with the records: the limit for everything that reads Kafka through it.
//
// Usage: bare BROKERS TOPIC GROUP RECORDS
// Prints "FIRST HALF LAST", the times at which the first, the middle and the last record were there, in milliseconds since 1970.
//
// The declarations are those of rdkafka.h, so that the library of a Python package is enough to build this.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

typedef struct rd_kafka_s rd_kafka_t;
typedef struct rd_kafka_conf_s rd_kafka_conf_t;
typedef struct rd_kafka_queue_s rd_kafka_queue_t;
typedef struct rd_kafka_topic_s rd_kafka_topic_t;
typedef struct rd_kafka_topic_partition_list_s rd_kafka_topic_partition_list_t;
typedef struct {
  int err;
  rd_kafka_topic_t *rkt;
  int32_t partition;
  void *payload;
  size_t len;
  void *key;
  size_t key_len;
  int64_t offset;
  void *private_data;
} rd_kafka_message_t;

rd_kafka_conf_t *rd_kafka_conf_new(void);
int rd_kafka_conf_set(rd_kafka_conf_t *, const char *, const char *, char *, size_t);
rd_kafka_t *rd_kafka_new(int, rd_kafka_conf_t *, char *, size_t);
int rd_kafka_poll_set_consumer(rd_kafka_t *);
rd_kafka_topic_partition_list_t *rd_kafka_topic_partition_list_new(int);
void *rd_kafka_topic_partition_list_add(rd_kafka_topic_partition_list_t *, const char *, int32_t);
int rd_kafka_subscribe(rd_kafka_t *, const rd_kafka_topic_partition_list_t *);
rd_kafka_queue_t *rd_kafka_queue_get_consumer(rd_kafka_t *);
ssize_t rd_kafka_consume_batch_queue(rd_kafka_queue_t *, int, rd_kafka_message_t **, size_t);
void rd_kafka_message_destroy(rd_kafka_message_t *);

enum { CONSUMER = 1, BATCH = 1000 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char error[256];
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != 0) {
    fprintf(stderr, "%s: %s\n", name, error);
    exit(1);
  }
}

int main(int count, char **arguments) {
  if (count != 5) {
    fprintf(stderr, "usage: bare BROKERS TOPIC GROUP RECORDS\n");
    return 2;
  }
  long wanted = atol(arguments[4]);
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", arguments[1]);
  set(conf, "group.id", arguments[3]);
  set(conf, "auto.offset.reset", "earliest");
  char error[256];
  rd_kafka_t *client = rd_kafka_new(CONSUMER, conf, error, sizeof error);
  if (client == NULL) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  rd_kafka_poll_set_consumer(client);
  rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, arguments[2], -1);
  if (rd_kafka_subscribe(client, topics) != 0) {
    fprintf(stderr, "subscribe failed\n");
    return 1;
  }
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);

  static rd_kafka_message_t *batch[BATCH];
  double first = 0, half = 0;
  for (long seen = 0; seen < wanted;) {
    ssize_t got = rd_kafka_consume_batch_queue(queue, 100, batch, BATCH);
    for (ssize_t i = 0; i < got; i++) {
      if (batch[i]->err == 0) {
        if (seen == 0)
          first = now();
        seen++;
        if (seen == (wanted + 1) / 2)
          half = now();
      }
      rd_kafka_message_destroy(batch[i]);
    }
  }
  printf("%.3f %.3f %.3f\n", first, half, now());
  fflush(stdout);
  // Whoever started this reads its processor time and then ends it.
  pause();
  return 0;
}
