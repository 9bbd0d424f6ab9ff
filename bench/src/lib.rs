//! Benchmarks, side by side with Apache Kafka and with the tutorial's Python pipeline.
