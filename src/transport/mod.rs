//! Sockets, deadlines and connection pools; knows no httpd type.
