/* Reads every record of an Avro file with avro-c, the library that decodes, and prints how many
 * there were: what reading Avro costs at least by that library. */
#include <avro.h>
#include <stdio.h>

int main(int count, char** words) {
  avro_file_reader_t reader;
  if (count != 2 || avro_file_reader(words[1], &reader) != 0) {
    fprintf(stderr, "avro_read FILE: %s\n", avro_strerror());
    return 1;
  }
  avro_schema_t schema = avro_file_reader_get_writer_schema(reader);
  avro_value_iface_t* class = avro_generic_class_from_schema(schema);
  avro_value_t value;
  avro_generic_value_new(class, &value);
  long rows = 0;
  for (; avro_file_reader_read_value(reader, &value) == 0; ++rows) avro_value_reset(&value);
  printf("%ld\n", rows);
  avro_value_decref(&value);
  avro_value_iface_decref(class);
  avro_schema_decref(schema);
  avro_file_reader_close(reader);
  return 0;
}
