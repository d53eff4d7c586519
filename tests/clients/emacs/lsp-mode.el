;;; lsp-mode.el --- The whole way in lsp-mode  -*- lexical-binding: t; -*-

(defun lenses ()
  "The lenses on the screen: \"LINE TITLE|TITLE\"."
  (cl-loop for overlay in (overlays-in (point-min) (point-max))
           for shown = (or (overlay-get overlay 'after-string) (overlay-get overlay 'before-string))
           when (and shown (overlay-get overlay 'lsp-lens))
           collect (format "%d %s" (line-number-at-pos (overlay-get overlay 'lsp-lens-position))
                           (string-trim (substring-no-properties shown)))))

(defun lens-with (line text)
  (cl-find-if (lambda (lens) (and (string-prefix-p (format "%d " line) lens) (string-match-p text lens))) (lenses)))

(defun action (pattern)
  (cl-find-if (lambda (action) (string-match-p pattern (lsp-get action :title))) (lsp-code-actions-at-point)))

(setq lsp-auto-guess-root t
      lsp-session-file (expand-file-name "session" user-emacs-directory)
      lsp-enable-file-watchers nil
      lsp-enable-snippet nil)
(find-file (getenv "AGENT"))
(ert-run-idle-timers) ; as Emacs does while nobody types
(tell "before" (until "the lens of a call that was never recorded" (lambda () (lens-with 50 "not recorded yet"))))
(record-program)
(tell "lens" (until "the lenses of the run" (lambda () (lens-with 50 "rerun from here"))))
(go-to 50 "create")
(tell "actions" (mapcar (lambda (action) (lsp-get action :title)) (append (lsp-code-actions-at-point) nil)))
(lsp-describe-thing-at-point)
(tell "hover" (text-of "\\*lsp-help\\*"))

(let ((source (current-buffer)))
  (lsp-execute-code-action (action "edit the output"))
  (until "the edit file" (lambda () (and (named "output\\.md") (get-buffer-window (named "output\\.md")))))
  (with-current-buffer (named "output\\.md")
    (tell "edit file" (buffer-substring-no-properties (point-min) (line-end-position)))
    (erase-buffer)
    (insert "Trains are late.")
    (save-buffer))
  (until "the question whether to rerun" (lambda () asked))
  (tell "asked" asked)
  (switch-to-buffer source)) ; lsp-mode 9 refreshes what is seen
(tell "after" (until "the lenses of the rerun" (lambda () (lens-with 50 "gpt-5.4 · .*edited"))))
(lsp-describe-thing-at-point)
(tell "hover after" (text-of "\\*lsp-help\\*"))

(ao-graph)
(tell "graph" (text-of "\\*ao graph\\*"))
(let ((asked-before (length asked)))
  (kill-buffer "*ao graph*")
  (ao-runs)
  (tell "graph of a chosen run" (text-of "\\*ao graph\\*"))
  (tell "asked for runs" (- (length asked) asked-before)))
