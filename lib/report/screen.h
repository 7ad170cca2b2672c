/* struct jl_screen: stdout and stderr as a person sees them: text that scrolls by, and, on a terminal, a display that stays
 * below it (report/bar.h).
 *
 *     jl_screen_init(&s, &(struct jl_screen_opts){.out_fd = 1, .err_fd = 2, .err_tty = true, .bar = true});
 *     jl_screen_text(&s, 1, false, data, len);                          what a command printed
 *     jl_out_printf(jl_screen_line(&s, 2), "jl: clean failed\n");       a line of our own
 *     jl_screen_flush(&s);
 *     jl_screen_event(&s, &event);                                      each event, when all of it was shown
 *     sink.wake_ns = s.wake_ns;
 *     jl_screen_release(&s);                                            the display is gone, all is written
 *
 * Without a display (`bar` false, or err_fd no terminal) what is added is written by jl_screen_flush(). With one, text for its
 * terminal waits for the next frame: what takes the old display away, the text and the new display in one write, ten times a
 * second at most; none when nothing changed. The cursor rests at the display's first column, so that "clear from here on" takes
 * all of it away whatever has become of the window; it is never hidden, so that there is nothing to restore when jl is killed.
 * Nothing is drawn while jl is in the background, while a step has the terminal, or while the terminal takes nothing (Ctrl-S).
 * With a display no text can do anything to the terminal but colour: see jl_term_safe(). */
#ifndef JL_REPORT_SCREEN_H
#define JL_REPORT_SCREEN_H

#include "report/bar.h"
#include "report/out.h"

struct jl_screen_opts {
	int out_fd, err_fd;    /* borrowed; may be equal */
	bool out_tty, err_tty; /* they are terminals */
	bool bar;              /* a display on err_fd, if that is a terminal */
	bool one;              /* both are one log, though no terminal: lines of ours begin on a line of their own in it */
	bool color;
};

struct jl_screen {
	int64_t wake_ns;       /* since the run began: when it wants the next event; 0: any time */
	/* private */
	struct jl_screen_opts opts;
	struct jl_out out, err;
	struct jl_buf carry[2]; /* the beginning of a character, or of a colour, whose rest is to come */
	bool mid_line[2];      /* the last byte written was no newline */
	bool same;             /* both are one terminal */
	bool live;             /* there is a display */
	struct jl_bar bar;
	struct jl_buf lines, drawn; /* as they are now; as they stand on the screen */
	bool shown;            /* `drawn` stands there, below everything */
	char *given;           /* the step that has the terminal, or NULL */
	int64_t frame_ns;      /* when it was looked at last */
};

void jl_screen_init(struct jl_screen *s, const struct jl_screen_opts *opts);
/* Takes the display away for good, writes what is left. */
void jl_screen_release(struct jl_screen *s);

/* Bytes of a command, on stream 1 or 2. `stored`: replayed from an earlier run; harmless on a terminal, too. */
void jl_screen_text(struct jl_screen *s, int stream, bool stored, const void *data, size_t len);
/* Where to add lines of our own, from the left; each ends with a newline. Good until the next call. */
struct jl_out *jl_screen_line(struct jl_screen *s, int stream);
/* What was added may be written. Waits only as long as the terminal does. */
void jl_screen_flush(struct jl_screen *s);
/* It must be: somebody waits for it, or jl is about to end. The display is back with the next frame. */
void jl_screen_flush_now(struct jl_screen *s);
void jl_screen_event(struct jl_screen *s, const struct jl_event *e);
/* No more display. */
void jl_screen_end(struct jl_screen *s);
/* errno of the first failed write to out_fd, or of what stands for it; 0: none. */
int jl_screen_errno(const struct jl_screen *s);

#endif
