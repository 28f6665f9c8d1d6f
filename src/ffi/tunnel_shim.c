/* Connections that leave HTTP (tunnel.rs): the filters of the connection are used, those of the request are not. */
#include "shim.h"

#include <sys/socket.h>

/* Sends the head of a 101 response and takes the connection out of HTTP, as mod_proxy does. What the client has sent behind
 * its head stays in the filters of the connection. 0: the client is gone. */
int jk_switch_protocols(request_rec *r)
{
    conn_rec *c = r->connection;
    apr_table_t *headers = apr_table_copy(r->pool, r->headers_out);

    c->keepalive = AP_CONN_CLOSE;
    r->expecting_100 = 0;
    ap_send_interim_response(r, 1);
    r->headers_out = headers;   /* for the log; it has been cleared */
    /* Time limits for request bodies, and a filter that collects small writes until a flush. */
    ap_remove_input_filter_byhandle(c->input_filters, "reqtimeout");
    ap_remove_output_filter_byhandle(c->output_filters, "SSL/TLS Coalescing Filter");
    r->input_filters = r->proto_input_filters = c->input_filters;
    r->output_filters = r->proto_output_filters = c->output_filters;
    r->sent_bodyct = 1;
    r->bytes_sent = 0;
    return !c->aborted;
}

/* Reads what is there. */
int jk_tunnel_read(request_rec *r, apr_bucket_brigade *bb, char *buffer, apr_size_t size, apr_size_t *got)
{
    conn_rec *c = r->connection;
    apr_size_t used = 0;
    int rounds;

    *got = 0;
    for (rounds = 0; rounds < 8; rounds++) {
        apr_status_t rv = ap_get_brigade(c->input_filters, bb, AP_MODE_READBYTES, APR_NONBLOCK_READ,
                                         (apr_off_t)size);
        apr_bucket *b;
        int end = 0;

        if (rv != APR_SUCCESS) {
            apr_brigade_cleanup(bb);
            return APR_STATUS_IS_EAGAIN(rv) ? JK_READ_AGAIN : APR_STATUS_IS_EOF(rv) ? JK_READ_END : JK_READ_ERROR;
        }
        if (APR_BRIGADE_EMPTY(bb)) {
            return JK_READ_AGAIN;
        }
        for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
            const char *data;
            apr_size_t len;

            if (APR_BUCKET_IS_EOS(b)) {
                end = 1;
            }
            if (APR_BUCKET_IS_METADATA(b)) {
                continue;
            }
            rv = apr_bucket_read(b, &data, &len, APR_NONBLOCK_READ);
            if (rv != APR_SUCCESS || len > size - used) {
                apr_brigade_cleanup(bb);
                return JK_READ_ERROR;
            }
            memcpy(buffer + used, data, len);
            used += len;
        }
        apr_brigade_cleanup(bb);
        if (used > 0) {
            *got = used;
            return JK_READ_DATA;
        }
        if (end) {
            return JK_READ_END;
        }
        /* Nothing but an empty bucket: the end of the stream was met, and the next call tells it. */
    }
    return JK_READ_AGAIN;
}

/* Passes octets to the filters of the connection, without a flush. 0: the client is gone. */
int jk_tunnel_write(request_rec *r, apr_bucket_brigade *bb, const char *data, apr_size_t len)
{
    conn_rec *c = r->connection;
    apr_status_t rv;

    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(data, len, c->bucket_alloc));
    rv = ap_pass_brigade(c->output_filters, bb);
    apr_brigade_cleanup(bb);
    r->bytes_sent += (apr_off_t)len;
    return rv == APR_SUCCESS && !c->aborted;
}

/* Ends the direction to the client, whose other direction goes on. Only where nothing stands between httpd and the socket:
 * TLS would have to say so first, and mod_ssl can only end both directions. 0: nothing was done. */
int jk_tunnel_end(request_rec *r)
{
    ap_filter_t *last = r->connection->output_filters;
    int fd = jk_client_descriptor(r);

    return fd >= 0 && last && last->next == NULL && shutdown(fd, SHUT_WR) == 0;
}

/* The client shall see that the stream was broken off. */
void jk_tunnel_break(request_rec *r)
{
    struct linger now = { 1, 0 };
    int fd = jk_client_descriptor(r);

    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    }
    r->connection->aborted = 1;
}

/* This process serves what it has and ends then: the server stops, or a newer generation has taken over. */
int jk_stopping(void)
{
    int state = 0;
    int generation = 0;

    if (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING) {
        return 1;
    }
    return ap_scoreboard_image && ap_mpm_query(AP_MPMQ_GENERATION, &generation) == APR_SUCCESS
           && ap_scoreboard_image->global->running_generation != generation;
}

/* GracefulShutdownTimeout in seconds; 0: not set. */
int jk_graceful_timeout(void)
{
    return ap_graceful_shutdown_timeout;
}
