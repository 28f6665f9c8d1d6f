/* What the Rust side needs of httpd that is a macro, an inline function, variadic or would take many calls.
 * No policy in here: each function does one thing and says what it did. */
#ifndef JK_SHIM_H
#define JK_SHIM_H

#include "httpd.h"
#include "http_config.h"
#include "http_connection.h"
#include "http_core.h"
#include "http_log.h"
#include "http_main.h"
#include "http_protocol.h"
#include "http_request.h"
#include "ap_mpm.h"
#include "mpm_common.h"
#include "scoreboard.h"
#include "apr_date.h"
#include "apr_optional_hooks.h"
#include "apr_portable.h"
#include "apr_strings.h"
#include "mod_log_config.h"
#include "mod_status.h"
#include "util_filter.h"

/* A piece of response body. */
typedef struct jk_piece {
    const char *data;
    apr_size_t len;
} jk_piece;

/* What follows the pieces of jk_write. */
#define JK_THEN_MORE 0
#define JK_THEN_FLUSH 1
#define JK_THEN_END 2

/* Results of jk_read_body. */
#define JK_READ_DATA 0
#define JK_READ_END 1
#define JK_READ_AGAIN 2
#define JK_READ_ERROR 3

apr_bucket_brigade *jk_brigade(request_rec *r);
apr_bucket_brigade *jk_output_brigade(request_rec *r);
int jk_write(request_rec *r, apr_bucket_brigade *bb, const jk_piece *pieces, apr_size_t count, int then);
void jk_abort_response(request_rec *r, apr_bucket_brigade *bb);
int jk_read_body(request_rec *r, apr_bucket_brigade *bb, char *buffer, apr_size_t size, int block,
                 apr_size_t *got, int *status);
int jk_client_descriptor(request_rec *r);

/* The state of a connection that the MPM polls on behalf of a module; headers before 2.4.63 do not name it. */
#define JK_STATE_ASYNC_WAITIO 8

int jk_mpmq_can_waitio(void);
void jk_request_goes_on(request_rec *r);
void jk_request_pauses(request_rec *r);
void jk_finish_request(request_rec *r, int status);
int jk_flush_some(request_rec *r);
int jk_client_takes_more(request_rec *r);
void jk_client_gone(request_rec *r);

void jk_users(unsigned int *own, unsigned int *child, unsigned int *child_group);
int jk_switch_protocols(request_rec *r);
int jk_tunnel_read(request_rec *r, apr_bucket_brigade *bb, char *buffer, apr_size_t size, apr_size_t *got);
int jk_tunnel_write(request_rec *r, apr_bucket_brigade *bb, const char *data, apr_size_t len);
int jk_tunnel_end(request_rec *r);
void jk_tunnel_break(request_rec *r);
int jk_stopping(void);
int jk_graceful_timeout(void);

int jk_server_logs(const server_rec *s, int module_index, int level);
int jk_request_logs(const request_rec *r, int module_index, int level);
void jk_log_server(const server_rec *s, int module_index, int level, const char *text, apr_size_t len);
void jk_log_startup(const server_rec *s, int module_index, int level, const char *text, apr_size_t len);
void jk_log_request(const request_rec *r, int module_index, int level, const char *text, apr_size_t len);
void jk_log_pool(apr_pool_t *p, int module_index, int level, const char *text, apr_size_t len);

const char *jk_section_handler(request_rec *r);
int jk_process_anew(request_rec *r, const char *path);
const char *jk_remote_host(request_rec *r);
int jk_is_index_probe(const request_rec *r);
void jk_name_file(request_rec *r);
void jk_last_modified(request_rec *r, const char *value);

void jk_add_common_vars(request_rec *r);
const char *jk_logged_request_line(const request_rec *r);
int jk_path_kind(request_rec *r, const char *path);
apr_port_t jk_configured_port(const request_rec *r);
apr_size_t jk_format_time(char *out, apr_size_t size, const char *format, apr_int64_t seconds);
void jk_hook_status(int (*hook)(request_rec *r, int flags));
void jk_hook_log_item(const char *(*item)(request_rec *r, char *what));
void jk_put(request_rec *r, const char *text, apr_size_t len);
apr_int32_t jk_gmt_offset(apr_int64_t seconds);

int jk_body_may_change(const request_rec *r);
apr_int64_t jk_server_timeout(const request_rec *r);
apr_int64_t jk_mpm_timeout(const request_rec *r);
int jk_nodecode(const request_rec *r);

#endif
