/* Requests that wait without a thread (park.rs): what is a macro in httpd, or reaches into filters and the scoreboard. */
#include "shim.h"

#include <poll.h>

#ifdef CONN_STATE_ASYNC_WAITIO
#error "an enumerator, not a macro"
#endif
#ifdef AP_MPMQ_CAN_WAITIO
typedef char waitio_is_8[CONN_STATE_ASYNC_WAITIO == JK_STATE_ASYNC_WAITIO ? 1 : -1];
#endif

/* The number of the query; an httpd that does not know it says so. */
int jk_mpmq_can_waitio(void)
{
    return 19;
}

/* A worker thread has taken up a request again. */
void jk_request_goes_on(request_rec *r)
{
    conn_rec *c = r->connection;

    ap_update_child_status(c->sbh, SERVER_BUSY_WRITE, r);
    if (ap_extended_status) {
        ap_time_process_request(c->sbh, START_PREQUEST);
    }
}

/* It puts it aside again. */
void jk_request_pauses(request_rec *r)
{
    if (ap_extended_status) {
        ap_time_process_request(r->connection->sbh, STOP_PREQUEST);
    }
}

/* What httpd does behind a handler. The request may be gone when this returns. */
void jk_finish_request(request_rec *r, int status)
{
    if (status == OK || status == DONE) {
        ap_finalize_request_protocol(r);
    }
    else {
        r->status = HTTP_OK;
        ap_die(status == DECLINED || status == SUSPENDED ? HTTP_INTERNAL_SERVER_ERROR : status, r);
    }
    ap_process_request_after_handler(r);
}

/* Sends what has been written and not sent, as far as that needs no waiting. 0: nothing is left, 1: something is, -1: the
 * client is gone. As the MPM does it. */
int jk_flush_some(request_rec *r)
{
    conn_rec *c = r->connection;
    ap_filter_t *f = c->output_filters;

    if (c->aborted) {
        return -1;
    }
    if (!c->data_in_output_filters) {
        return 0;
    }
    while (f->next) {
        f = f->next;
    }
    if (f->frec->filter_func.out_func(f, NULL) != APR_SUCCESS || c->aborted) {
        return -1;
    }
    return c->data_in_output_filters ? 1 : 0;
}

/* The socket of the client has room. */
int jk_client_takes_more(request_rec *r)
{
    struct pollfd p = { jk_client_descriptor(r), POLLOUT, 0 };

    return p.fd < 0 || poll(&p, 1, 0) != 0;
}

/* The shortest time after which the MPM may close a connection that waits, microseconds: it goes by the server of the address,
 * which need not be that of the name. */
apr_int64_t jk_mpm_timeout(const request_rec *r)
{
    apr_int64_t base = r->connection->base_server->timeout;

    return base < r->server->timeout ? base : r->server->timeout;
}

/* It is known that the client is gone. */
void jk_client_gone(request_rec *r)
{
    r->connection->aborted = 1;
}
