#include "shim.h"
#include "unixd.h"
#include "util_script.h"
#include <time.h>

#include <sys/socket.h>
#include <unistd.h>

apr_bucket_brigade *jk_brigade(request_rec *r)
{
    return apr_brigade_create(r->pool, r->connection->bucket_alloc);
}

/* For jk_write and jk_abort_response, which leave it empty: nothing has to be done about it at the end of the request. */
apr_bucket_brigade *jk_output_brigade(request_rec *r)
{
    apr_bucket_brigade *bb = apr_palloc(r->pool, sizeof(*bb));

    bb->p = r->pool;
    bb->bucket_alloc = r->connection->bucket_alloc;
    APR_RING_INIT(&bb->list, apr_bucket, link);
    return bb;
}

/* Passes the pieces down the filter chain. They are only read during the call: a filter that keeps them makes a copy.
 * 0 on success, else the client is gone. */
int jk_write(request_rec *r, apr_bucket_brigade *bb, const jk_piece *pieces, apr_size_t count, int then)
{
    conn_rec *c = r->connection;
    apr_bucket_alloc_t *list = c->bucket_alloc;
    apr_size_t i;
    apr_status_t rv;

    for (i = 0; i < count; i++) {
        apr_bucket *b = apr_bucket_transient_create(pieces[i].data, pieces[i].len, list);
        APR_BRIGADE_INSERT_TAIL(bb, b);
    }
    if (then == JK_THEN_FLUSH) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(list));
    }
    else if (then == JK_THEN_END) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(list));
    }
    rv = ap_pass_brigade(r->output_filters, bb);
    apr_brigade_cleanup(bb);
    return rv != APR_SUCCESS || c->aborted;
}

/* Ends a response that has begun so that the client can see that it is incomplete: no last chunk, connection closed.
 * Where neither a length nor chunks tell the end of the body, an orderly close would look like it, so what is there is sent
 * and the connection is reset. */
void jk_abort_response(request_rec *r, apr_bucket_brigade *bb)
{
    conn_rec *c = r->connection;
    const request_rec *top = r;
    int fd;

    while (top->main) {
        top = top->main;
    }
    c->keepalive = AP_CONN_CLOSE;
    r->no_cache = 1;
    if (r->main) {
        r->main->no_cache = 1;
    }
    apr_brigade_cleanup(bb);
    APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(c->bucket_alloc));
    ap_pass_brigade(r->output_filters, bb);
    apr_brigade_cleanup(bb);
    fd = jk_client_descriptor(r);
    if (fd >= 0 && !top->chunked && !apr_table_get(top->headers_out, "Content-Length")) {
        struct linger now = { 1, 0 };

        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(c->bucket_alloc));
        ap_pass_brigade(c->output_filters, bb);
        apr_brigade_cleanup(bb);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        c->aborted = 1;         /* no orderly end of TLS or of the connection */
    }
}

/* The client waits for leave to send the body. As httpd's own input filter, which does it before a blocking read. */
static void send_continue(request_rec *r)
{
    int status = r->status;
    const char *line = r->status_line;

    if (r->proto_num < HTTP_VERSION(1, 1) || r->eos_sent || r->bytes_sent || !ap_is_HTTP_SUCCESS(status)) {
        return;
    }
    r->status = HTTP_CONTINUE;
    r->status_line = NULL;
    ap_send_interim_response(r, 0);
    r->status = status;
    r->status_line = line;
}

/* Reads request body. `status` is the HTTP status of an error (0: the client is gone), or 1 when the data is the last. */
int jk_read_body(request_rec *r, apr_bucket_brigade *bb, char *buffer, apr_size_t size, int block,
                 apr_size_t *got, int *status)
{
    apr_status_t rv;
    apr_bucket *b;
    apr_size_t used = 0;
    int end = 0;
    int rounds = 0;

    *got = 0;
    *status = 0;
    if (r->expecting_100 && !block) {
        send_continue(r);       /* httpd does so on blocking reads only */
    }
    do {
        rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES,
                            block ? APR_BLOCK_READ : APR_NONBLOCK_READ, (apr_off_t)size);
        if (rv != APR_SUCCESS) {
            apr_brigade_cleanup(bb);
            if (!block && APR_STATUS_IS_EAGAIN(rv)) {
                return JK_READ_AGAIN;
            }
            *status = rv == AP_FILTER_ERROR ? AP_FILTER_ERROR
                : r->connection->aborted || APR_STATUS_IS_EOF(rv) || APR_STATUS_IS_ECONNRESET(rv) ? 0
                : ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
            return JK_READ_ERROR;
        }
        if (r->eos_sent) {
            /* httpd's own filter met a malformed chunk: it has ended the response and left the bad octets behind, which
             * look like data, and an end of the body after them. */
            apr_brigade_cleanup(bb);
            *status = AP_FILTER_ERROR;
            return JK_READ_ERROR;
        }
        if (APR_BRIGADE_EMPTY(bb)) {
            if (!block) {
                return JK_READ_AGAIN;
            }
            if (++rounds > 1000) {
                *status = HTTP_BAD_REQUEST;     /* a filter that never delivers anything */
                return JK_READ_ERROR;
            }
            continue;
        }
        for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
            const char *data;
            apr_size_t len;

            if (APR_BUCKET_IS_EOS(b)) {
                end = 1;
                break;
            }
            if (AP_BUCKET_IS_ERROR(b)) {
                *status = ((ap_bucket_error *)b->data)->status;
                apr_brigade_cleanup(bb);
                return JK_READ_ERROR;
            }
            if (APR_BUCKET_IS_METADATA(b)) {
                continue;
            }
            rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
            if (rv != APR_SUCCESS || len > size - used) {
                apr_brigade_cleanup(bb);
                *status = rv == APR_SUCCESS ? HTTP_INTERNAL_SERVER_ERROR : HTTP_BAD_REQUEST;
                return JK_READ_ERROR;
            }
            memcpy(buffer + used, data, len);
            used += len;
        }
        apr_brigade_cleanup(bb);
    } while (used == 0 && !end);
    *got = used;
    *status = end;
    return used > 0 ? JK_READ_DATA : JK_READ_END;
}

/* The descriptor to poll for request body, -1 if there is none of its own (a stream of HTTP/2). */
int jk_client_descriptor(request_rec *r)
{
    apr_socket_t *socket;
    apr_os_sock_t fd;

    if (r->connection->master) {
        return -1;
    }
    socket = ap_get_conn_socket(r->connection);
    if (socket == NULL || apr_os_sock_get(&fd, socket) != APR_SUCCESS) {
        return -1;
    }
    return fd;
}

int jk_server_logs(const server_rec *s, int module_index, int level)
{
    return APLOG_MODULE_IS_LEVEL(s, module_index, level);
}

int jk_request_logs(const request_rec *r, int module_index, int level)
{
    return APLOG_R_MODULE_IS_LEVEL(r, module_index, level);
}

void jk_log_server(const server_rec *s, int module_index, int level, const char *text, apr_size_t len)
{
    ap_log_error_("mod_jk_rs", 0, module_index, level, 0, s, "%.*s", (int)len, text);
}

void jk_log_startup(const server_rec *s, int module_index, int level, const char *text, apr_size_t len)
{
    ap_log_error_("mod_jk_rs", 0, module_index, level | APLOG_STARTUP, 0, s, "%.*s", (int)len, text);
}

void jk_log_request(const request_rec *r, int module_index, int level, const char *text, apr_size_t len)
{
    ap_log_rerror_("mod_jk_rs", 0, module_index, level, 0, r, "%.*s", (int)len, text);
}

void jk_log_pool(apr_pool_t *p, int module_index, int level, const char *text, apr_size_t len)
{
    ap_log_perror_("mod_jk_rs", 0, module_index, level, 0, p, "%.*s", (int)len, text);
}

/* httpd's Timeout for the request's server, microseconds. */
apr_int64_t jk_server_timeout(const request_rec *r)
{
    return r->server->timeout;
}

/* AllowEncodedSlashes NoDecode is in force. */
int jk_nodecode(const request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);

    return core && core->allow_encoded_slashes && !core->decode_encoded_slashes;
}

/* The client's host name if httpd looked it up (HostnameLookups), never its address. */
const char *jk_remote_host(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const conn_rec *c = r->connection;

    /* Nobody looks for names, and there is none: what httpd would find out in many more steps. */
    if (core->hostname_lookups != HOSTNAME_LOOKUP_ON && core->hostname_lookups != HOSTNAME_LOOKUP_DOUBLE
        && !c->remote_host && (!r->useragent_addr || r->useragent_addr == c->client_addr)) {
        return NULL;
    }
    return ap_get_useragent_host(r, REMOTE_HOST, NULL);
}

/* mod_dir looks whether an index file would be answered by somebody. */
int jk_is_index_probe(const request_rec *r)
{
    const char *name = r->main ? r->main->filename : NULL;
    apr_size_t len = name ? strlen(name) : 0;

    return len > 0 && name[len - 1] == '/';
}

/* A mapped request has no file: only the last segment is kept, for modules that look at the extension. An index probe
 * gets the name of the file it asks about, which may exist. */
void jk_name_file(request_rec *r)
{
    const char *name = strrchr(r->uri, '/');

    name = name ? name + 1 : r->uri;
    if (jk_is_index_probe(r)) {
        r->filename = apr_pstrcat(r->pool, r->main->filename, name, NULL);
        if (apr_stat(&r->finfo, r->filename, APR_FINFO_MIN, r->pool) != APR_SUCCESS) {
            r->finfo.filetype = APR_NOFILE;
        }
    }
    else {
        r->filename = (char *)name; /* as mod_jk has it: nobody writes to it */
    }
}

/* Re-formatted as httpd likes it; a date that cannot be read is left out. */
void jk_last_modified(request_rec *r, const char *value)
{
    apr_time_t time = apr_date_parse_http(value);

    if (time != APR_DATE_BAD) {
        ap_update_mtime(r, time);
        ap_set_last_modified(r);
    }
}

/* Has httpd process `path` (decoded) in place of the request: access checks, handler and all. 0: it must not.
 *
 * Not for a sub-request, whose maker waits for its own, and not a second time. Not beside quick handlers either (mod_cache, mod_lua):
 * they go by the path, and would take the response for that of every spelling of it. */
int jk_process_anew(request_rec *r, const char *path)
{
    const apr_array_header_t *quick = ap_hook_get_quick_handler();
    const char *uri;

    if (r->main || r->prev || (quick && quick->nelts > 0)) {
        return 0;
    }
    /* A redirected request is not checked again when its sections are those that the earlier one passed; httpd knows that by the
     * address of their configuration. A copy at another address has the same content. */
    r->per_dir_config = ap_merge_per_dir_configs(r->pool, r->per_dir_config, ap_create_request_config(r->pool));
    uri = ap_os_escape_path(r->pool, path, 1);
    if (r->args) {
        uri = apr_pstrcat(r->pool, uri, "?", r->args, NULL);
    }
    ap_internal_redirect(uri, r);
    return 1;
}

/* What SetHandler says for the sections that match so far. httpd keeps every argument of SetHandler as an expression. */
const char *jk_section_handler(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const char *error = NULL;
    const char *name;

    if (!core || !core->expr_handler) {
        return core ? core->handler : NULL;
    }
    name = ap_expr_str_exec(r, core->expr_handler, &error);
    return error ? NULL : name;
}

/* Puts the common CGI variables into the request's environment, once. */
void jk_add_common_vars(request_rec *r)
{
    ap_add_common_vars(r);
}

/* The request line as a log shows it: a password in it is masked. */
const char *jk_logged_request_line(const request_rec *r)
{
    if (r->parsed_uri.password) {
        return apr_pstrcat(r->pool, r->method, " ", apr_uri_unparse(r->pool, &r->parsed_uri, 0),
                           r->assbackwards ? NULL : " ", r->protocol, NULL);
    }
    return r->the_request;
}

/* 0: nothing there, 1: a regular file, 2: a directory, 3: something else. */
int jk_path_kind(request_rec *r, const char *path)
{
    apr_finfo_t info;

    if (apr_stat(&info, path, APR_FINFO_TYPE, r->pool) != APR_SUCCESS) {
        return 0;
    }
    return info.filetype == APR_REG ? 1 : info.filetype == APR_DIR ? 2 : 3;
}

/* The port of the server as configured, else the default of the scheme. */
apr_port_t jk_configured_port(const request_rec *r)
{
    return r->server->port ? r->server->port : ap_default_port(r);
}

/* mod_status asks for a block of its page; without mod_status nobody does. */
void jk_hook_status(int (*hook)(request_rec *r, int flags))
{
    APR_OPTIONAL_HOOK(ap, status_hook, hook, NULL, NULL, APR_HOOK_MIDDLE);
}

/* LogFormat knows %{...}^jk. mod_log_config forgets all items when the configuration is read anew. */
static ap_log_handler_fn_t *log_item;

static int register_log_item(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    APR_OPTIONAL_FN_TYPE(ap_register_log_handler) *add = APR_RETRIEVE_OPTIONAL_FN(ap_register_log_handler);

    (void)plog;
    (void)ptemp;
    if (add) {
        add(pconf, (char *)"^jk", log_item, 0);
    }
    return OK;
}

void jk_hook_log_item(const char *(*item)(request_rec *r, char *what))
{
    static const char *const after[] = { "mod_log_config.c", NULL };

    log_item = item;
    ap_hook_pre_config(register_log_item, after, NULL, APR_HOOK_MIDDLE);
}

/* Adds to a page that is being written by ap_rputs. */
void jk_put(request_rec *r, const char *text, apr_size_t len)
{
    (void)ap_rwrite(text, (int)len, r);
}

/* Seconds that local time is ahead of UTC. */
apr_int32_t jk_gmt_offset(apr_int64_t seconds)
{
    apr_time_exp_t parts;
    return apr_time_exp_lt(&parts, apr_time_from_sec(seconds)) == APR_SUCCESS ? parts.tm_gmtoff : 0;
}

/* strftime in local time. */
apr_size_t jk_format_time(char *out, apr_size_t size, const char *format, apr_int64_t seconds)
{
    time_t time = (time_t)seconds;
    struct tm parts;

    if (localtime_r(&time, &parts) == NULL) {
        return 0;
    }
    return strftime(out, size, format, &parts);
}

/* An input filter may decompress the body, so that its length is not the one in the request. */
int jk_body_may_change(const request_rec *r)
{
    return r->input_filters != r->proto_input_filters && apr_table_get(r->headers_in, "Content-Encoding") != NULL;
}

/* The user of this process, and user and group that children of this server run as: those of User and Group when it was
 * started by root. */
void jk_users(unsigned int *own, unsigned int *child, unsigned int *child_group)
{
    *own = (unsigned int)geteuid();
    *child = *own ? *own : (unsigned int)ap_unixd_config.user_id;
    *child_group = *own ? (unsigned int)getegid() : (unsigned int)ap_unixd_config.group_id;
}
